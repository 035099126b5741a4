"use client";

import { useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRouter } from "next/navigation";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";

import type { AverageItem, WindowName } from "@/api/types";
import { useFormat, useSpeech } from "@/i18n/language";
import type { Sort, SortKey } from "@/lib/shape";
import { sensorLink } from "@/lib/view";

import { columnsOf, features, META } from "./columns";

interface Props {
  items: readonly AverageItem[];
  window: WindowName;
  month: ReadonlyMap<string, AverageItem>;
  sort: Sort;
  onSort: (sort: Sort) => void;
  picked: ReadonlySet<string>;
  onPick: (id: string) => void;
  busy: boolean;
}

const OVERSCAN = 6;

/** All sensors; only what is in sight is in the document. One tab stop: arrows move, Enter opens,
 * Space chooses. */
export function SensorTable(props: Props) {
  const { items, window, month, picked, onPick } = props;
  const { texts } = useSpeech();
  const format = useFormat();
  const router = useRouter();
  const place = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  const rowHeight = useRowHeight(place);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => place.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN,
  });
  useEffect(() => {
    virtual.measure();
  }, [rowHeight, virtual]);
  const seen = virtual.getVirtualItems();
  const data = useMemo(
    () => seen.flatMap((row) => items[row.index] ?? []),
    // The rows in sight change with their first and last.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [items, seen[0]?.index, seen.at(-1)?.index],
  );
  const columns = useMemo(
    () => columnsOf({ texts, format, window, month }),
    [texts, format, window, month],
  );
  const table = useTable({ features, columns, data, getRowId: (item) => item.equipmentId });
  const cursor = Math.min(at, items.length - 1);
  const current = items[cursor];

  const press = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget && event.key !== "Escape") return;
    const step = event.shiftKey ? 10 : 1;
    const moves: Record<string, number> = {
      ArrowDown: cursor + step,
      ArrowUp: cursor - step,
      PageDown: cursor + 10,
      PageUp: cursor - 10,
      Home: 0,
      End: items.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) {
      const next = Math.max(0, Math.min(items.length - 1, to));
      setAt(next);
      virtual.scrollToIndex(next);
    } else if (event.key === "Enter" && current) {
      router.push(sensorLink(current.equipmentId, window));
    } else if (event.key === " " && current) onPick(current.equipmentId);
    else return;
    event.preventDefault();
  };
  const rows = table.getRowModel().rows;
  return (
    <div
      ref={place}
      className="sensor-table dims"
      role="grid"
      tabIndex={0}
      aria-label={texts.sensors}
      aria-busy={props.busy}
      aria-rowcount={items.length + 1}
      aria-multiselectable="true"
      aria-activedescendant={current && `row-${String(cursor)}`}
      onKeyDown={press}
    >
      <div className="cells head" role="row" aria-rowindex={1}>
        <span role="columnheader" className="pick">
          <span className="visually-hidden">{texts.choose}</span>
        </span>
        {table.getHeaderGroups()[0]?.headers.map((header) => (
          <Header
            key={header.id}
            id={header.id}
            label={String(header.column.columnDef.header ?? "")}
            sort={props.sort}
            onSort={props.onSort}
          />
        ))}
      </div>
      <div className="body" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {seen.map((line, index) => {
          const row = rows[index];
          if (!row) return null;
          const item = row.original;
          const chosen = picked.has(item.equipmentId);
          return (
            <div
              key={row.id}
              id={`row-${String(line.index)}`}
              role="row"
              aria-rowindex={line.index + 2}
              aria-selected={chosen}
              className={`cells line${line.index === cursor ? " cursor" : ""}`}
              style={{ transform: `translateY(${String(line.start)}px)` }}
              onClick={(event) => {
                if ((event.target as HTMLElement).closest("a, button, input")) return;
                setAt(line.index);
                router.push(sensorLink(item.equipmentId, window));
              }}
            >
              <span role="gridcell" className="pick">
                <input
                  type="checkbox"
                  tabIndex={-1}
                  checked={chosen}
                  aria-label={`${texts.choose} ${item.equipmentId}`}
                  onChange={() => {
                    onPick(item.equipmentId);
                  }}
                />
              </span>
              {row.getAllCells().map((cell) => (
                <span
                  key={cell.id}
                  role="gridcell"
                  className={META[cell.column.id]?.className}
                  title={cell.column.id === "measures" ? (item.name ?? undefined) : undefined}
                >
                  <table.FlexRender cell={cell} />
                </span>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** In CSS pixels, as the stylesheet has it for this kind of screen. */
function useRowHeight(place: React.RefObject<HTMLDivElement | null>): number {
  const [height, setHeight] = useState(28);
  useEffect(() => {
    const read = () => {
      if (!place.current) return;
      const text = getComputedStyle(place.current).getPropertyValue("--row");
      setHeight(Number.parseFloat(text) || 28);
    };
    read();
    addEventListener("resize", read);
    return () => {
      removeEventListener("resize", read);
    };
  }, [place]);
  return height;
}

function Header(props: { id: string; label: string; sort: Sort; onSort: (sort: Sort) => void }) {
  const key: SortKey | undefined = META[props.id]?.sort;
  const className = META[props.id]?.className;
  if (key === undefined)
    return (
      <span role="columnheader" className={className}>
        {props.label || <span className="visually-hidden">{props.id}</span>}
      </span>
    );
  const mine = props.sort.key === key;
  return (
    <span
      role="columnheader"
      className={className}
      aria-sort={mine ? (props.sort.descending ? "descending" : "ascending") : "none"}
    >
      <button
        className="plain"
        onClick={() => {
          props.onSort({ key, descending: mine && !props.sort.descending });
        }}
      >
        {props.label}
        {mine && <i aria-hidden="true">{props.sort.descending ? "↓" : "↑"}</i>}
      </button>
    </span>
  );
}
