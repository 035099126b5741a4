"use client";

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";

import type { AverageItem, SensorState } from "@/api/types";
import { useSpeech } from "@/i18n/language";
import { age, count, number, percent } from "@/lib/format";
import type { Sort, SortKey } from "@/lib/shape";

const ROW_PX = 28;
const PHONE_ROW_PX = 48;

interface Props {
  items: AverageItem[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  selected: string | null;
  onSelect: (item: AverageItem) => void;
}

/** All sensors; only the rows in sight are in the document. Arrows move, Enter chooses. */
export function SensorTable({ items, sort, onSort, selected, onSelect }: Props) {
  const { texts } = useSpeech();
  const scroll = useRef<HTMLDivElement>(null);
  const [row, setRow] = useState(0);
  const rowPx = useRowHeight();
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowPx,
    overscan: 12,
  });
  const columns: [SortKey, string, string][] = [
    ["state", texts.state, ""],
    ["equipmentId", texts.sensor, ""],
    ["name", texts.measures, "wide"],
    ["location", texts.location, "wide"],
    ["mean", texts.mean, "num"],
    ["unit", texts.unit, "wide"],
    ["count", texts.readings, "num wide"],
    ["coverage", texts.coverage, "num wide"],
    ["timeWeightedMean", texts.timeWeightedMean, "num wide"],
    ["min", texts.min, "num wide"],
    ["max", texts.max, "num wide"],
    ["lastValue", texts.last, "num wide"],
    ["lastTimestamp", texts.lastSeen, "num wide"],
  ];
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.min(items.length - 1, Math.max(0, row + step));
      setRow(next);
      rows.scrollToIndex(next);
    }
    const item = items[row];
    if (event.key === "Enter" && item && event.target === event.currentTarget) onSelect(item);
  };
  return (
    <div ref={scroll} className="scroll">
      <div
        className="grid"
        role="grid"
        aria-label={texts.sensors}
        aria-rowcount={items.length}
        aria-activedescendant={`row-${row}`}
        tabIndex={0}
        onKeyDown={move}
      >
        <div className="cells head" role="row">
          {columns.map(([key, label, style]) => (
            <div
              key={key}
              role="columnheader"
              className={style}
              aria-sort={
                sort.key === key ? (sort.descending ? "descending" : "ascending") : undefined
              }
            >
              <button
                tabIndex={0}
                onClick={() => {
                  onSort({ key, descending: sort.key === key && !sort.descending });
                }}
              >
                {label} {sort.key === key ? (sort.descending ? "↓" : "↑") : ""}
              </button>
            </div>
          ))}
        </div>
        <div className="body" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((place) => {
            const item = items[place.index];
            if (!item) return null;
            return (
              <div
                key={item.equipmentId}
                className="cells line"
                role="row"
                aria-rowindex={place.index + 1}
                id={`row-${place.index}`}
                aria-selected={item.equipmentId === selected}
                data-cursor={place.index === row || undefined}
                style={{ transform: `translateY(${place.start}px)` }}
                onClick={() => {
                  setRow(place.index);
                  onSelect(item);
                }}
              >
                <Cells item={item} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Cells({ item }: { item: AverageItem }) {
  const { language } = useSpeech();
  const figures: [string, string][] = [
    [number(item.mean, language), "num strong"],
    [item.unit ?? "", "wide quiet"],
    [count(item.count, language), "num wide"],
    [item.coverage === null ? "–" : percent(item.coverage, language), "num wide"],
    [number(item.timeWeightedMean, language), "num wide"],
    [number(item.min, language), "num wide"],
    [number(item.max, language), "num wide"],
    [number(item.lastValue, language), "num wide"],
    [age(item.lastTimestamp, Date.now()), "num wide quiet"],
  ];
  return (
    <>
      <StateMark state={item.state} />
      <span role="gridcell" className="strong" title={item.equipmentId}>
        {item.equipmentId}
      </span>
      <span role="gridcell" className="wide" title={item.name ?? undefined}>
        {item.name ?? ""}
      </span>
      <span role="gridcell" className="wide quiet" title={item.location ?? undefined}>
        {item.location ?? ""}
      </span>
      {figures.map(([text, style], index) => (
        <span key={index} role="gridcell" className={style}>
          {text}
        </span>
      ))}
    </>
  );
}

const SHAPES: Record<SensorState, React.ReactNode> = {
  ok: <circle cx="5" cy="5" r="3" fill="var(--t3)" />,
  late: (
    <>
      <circle cx="5" cy="5" r="4" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M5 1a4 4 0 0 1 0 8z" fill="currentColor" />
    </>
  ),
  silent: <path d="M5 0l5 5-5 5-5-5z" fill="currentColor" />,
  new: (
    <circle
      cx="5"
      cy="5"
      r="4"
      fill="none"
      stroke="var(--t3)"
      strokeWidth="1.5"
      strokeDasharray="2 2"
    />
  ),
};

/** Shape, word and colour: colour alone never carries it. */
function StateMark({ state }: { state: SensorState }) {
  const { texts } = useSpeech();
  const words = { ok: texts.reporting, late: texts.late, silent: texts.silent, new: texts.isNew };
  return (
    <span role="gridcell" className={`state ${state}`}>
      <svg className="mark" viewBox="0 0 10 10" aria-hidden="true">
        {SHAPES[state]}
      </svg>
      {words[state]}
    </span>
  );
}

function useRowHeight(): number {
  const [phone, setPhone] = useState(false);
  useEffect(() => {
    const query = matchMedia("(max-width: 767px)");
    const look = () => {
      setPhone(query.matches);
    };
    look();
    query.addEventListener("change", look);
    return () => {
      query.removeEventListener("change", look);
    };
  }, []);
  return phone ? PHONE_ROW_PX : ROW_PX;
}
