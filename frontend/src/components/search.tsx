"use client";

import { useRouter } from "next/navigation";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";

import { useAverages } from "@/api/queries";
import { Icon } from "@/components/icons";
import { useKeys } from "@/components/keys";
import { Mark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { matching } from "@/lib/shape";
import { sensorLink, useView } from "@/lib/view";

const SHOWN = 8;

/** Any sensor in two seconds: `/`, a few letters, Enter. */
export function Search() {
  const { texts } = useSpeech();
  const format = useFormat();
  const router = useRouter();
  const view = useView();
  const field = useRef<HTMLInputElement>(null);
  const list = useId();
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  // Asked for when somebody reaches for the field, and not on screens that need no list.
  const [wanted, setWanted] = useState(false);
  const averages = useAverages(view.window, false, wanted);
  const found = useMemo(
    () => (text.trim() && averages.data ? matching(averages.data.items, text) : []),
    [averages.data, text],
  );
  const shown = found.slice(0, SHOWN);
  const all = found.length > 0;
  const last = shown.length - (all ? 0 : 1);
  useKeys({
    "/": () => {
      field.current?.focus();
      field.current?.select();
    },
  });
  useEffect(() => {
    setAt(0);
  }, [text]);
  const go = (index: number) => {
    const item = shown[index];
    if (item) router.push(sensorLink(item.equipmentId, view.window));
    else if (all) router.push(`/sensors?${new URLSearchParams({ q: text.trim() }).toString()}`);
    else return;
    setOpen(false);
    setText("");
    field.current?.blur();
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(last, at + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (event.key === "Enter") go(at);
    else if (event.key === "Escape") {
      if (text) setText("");
      else field.current?.blur();
    } else return;
    event.preventDefault();
  };
  const option = (index: number) => `${list}-${String(index)}`;
  const showing = open && text.trim() !== "";
  return (
    <div className="search">
      <Icon name="search" />
      <input
        ref={field}
        role="combobox"
        aria-expanded={showing}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={showing && all ? option(at) : undefined}
        aria-label={texts.search}
        placeholder={texts.search}
        value={text}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => {
          setText(event.target.value);
          setOpen(true);
        }}
        onFocus={() => {
          setWanted(true);
          setOpen(true);
        }}
        onBlur={() => {
          setOpen(false);
        }}
        onKeyDown={press}
      />
      <kbd aria-hidden="true">/</kbd>
      {/* Chosen on pointer down: the field's blur would close the list before the click. */}
      <ul
        id={list}
        role="listbox"
        aria-label={texts.sensors}
        className="menu found"
        hidden={!showing}
      >
        {showing && !all && (
          <li role="option" aria-selected="false" aria-disabled="true" className="quiet none">
            {averages.isPending ? texts.loading : texts.noMatch}
          </li>
        )}
        {shown.map((item, index) => (
          <li
            key={item.equipmentId}
            id={option(index)}
            role="option"
            aria-selected={index === at}
            onPointerDown={(event) => {
              event.preventDefault();
              go(index);
            }}
          >
            <Mark name={item.state} />
            <b>{item.equipmentId}</b>
            <span className="clip">{item.name}</span>
            <span className="quiet">{item.location}</span>
          </li>
        ))}
        {all && (
          <li
            id={option(shown.length)}
            role="option"
            aria-selected={at === shown.length}
            className="more"
            onPointerDown={(event) => {
              event.preventDefault();
              go(shown.length);
            }}
          >
            {fill(texts.showAllMatches, { count: format.count(found.length) })}
          </li>
        )}
      </ul>
    </div>
  );
}
