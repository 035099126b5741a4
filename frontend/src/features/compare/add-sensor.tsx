"use client";

import { useMemo, useState } from "react";

import type { AverageItem } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { Mark } from "@/components/marks";
import { useSpeech } from "@/i18n/language";
import { matching } from "@/lib/shape";

interface Props {
  items: readonly AverageItem[];
  present: readonly string[];
  onAdd: (id: string) => void;
  onClose: () => void;
}

const SHOWN = 40;

export function AddSensor({ items, present, onAdd, onClose }: Props) {
  const { texts } = useSpeech();
  const [text, setText] = useState("");
  const found = useMemo(
    () =>
      matching(items, text)
        .filter((item) => !present.includes(item.equipmentId))
        .slice(0, SHOWN),
    [items, text, present],
  );
  return (
    <Dialog title={texts.addSensor} onClose={onClose}>
      <input
        type="search"
        className="whole"
        aria-label={texts.search}
        placeholder={texts.search}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
        }}
      />
      <ul className="pick-list">
        {found.map((item) => (
          <li key={item.equipmentId}>
            <button
              className="plain"
              onClick={() => {
                onAdd(item.equipmentId);
              }}
            >
              <Mark name={item.state} />
              <b>{item.equipmentId}</b>
              <span className="clip">{item.name}</span>
              <span className="quiet push">
                {[item.location, item.unit].filter(Boolean).join(" · ")}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="quiet">{texts.noMatch}</p>}
    </Dialog>
  );
}
