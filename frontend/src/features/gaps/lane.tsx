"use client";

import Link from "next/link";
import { useId, useMemo, useState, type KeyboardEvent } from "react";

import type { GapItem, WindowName } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { sensorLink } from "@/lib/view";

/** In percent of the lane. */
const CROSSED = 2;
const LOW = 0.95;

interface Props {
  id: string;
  window: WindowName;
  coverage: number | null;
  /** Undefined while they are on their way. */
  gaps: readonly GapItem[] | undefined;
  start: number;
  end: number;
  /** Where the time axis has its marks, in percent. */
  ticks: readonly number[];
  chosen: ReadonlySet<string>;
  onChoose: (gap: GapItem) => void;
}

/** One sensor's rail. A gap is as wide as it is long, too small to be a target of its own: the lane
 * is one control, in which arrows move from gap to gap and Space chooses. */
export function Lane({ id, window, coverage, gaps, start, end, ticks, chosen, onChoose }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const name = useId();
  const [at, setAt] = useState<number | null>(null);
  const ordered = useMemo(
    () => [...(gaps ?? [])].sort((a, b) => Date.parse(a.start) - Date.parse(b.start)),
    [gaps],
  );
  const current = at === null ? undefined : ordered[Math.min(at, ordered.length - 1)];
  const press = (event: KeyboardEvent) => {
    const last = ordered.length - 1;
    const moves: Record<string, number> = {
      ArrowRight: Math.min(last, (at ?? -1) + 1),
      ArrowLeft: Math.max(0, (at ?? 0) - 1),
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (to !== undefined) setAt(to);
    else if ((event.key === " " || event.key === "Enter") && current) onChoose(current);
    else return;
    event.preventDefault();
  };
  return (
    <div className="lane">
      <Link href={sensorLink(id, window)}>{id}</Link>
      <div className="lane-track">
        {ticks.map((tick) => (
          <i key={tick} className="lane-tick" style={{ left: `${String(tick)}%` }} />
        ))}
        <i className={gaps ? "lane-rail" : "lane-rail waits"} />
        {ordered.length > 0 && (
          <div
            className="lane-gaps"
            role="listbox"
            tabIndex={0}
            aria-multiselectable="true"
            aria-orientation="horizontal"
            aria-label={fill(texts.gapsOf, { id })}
            aria-activedescendant={current && `${name}-${current.id}`}
            onKeyDown={press}
            onFocus={() => {
              setAt((before) => before ?? 0);
            }}
            onBlur={() => {
              setAt(null);
            }}
          >
            {ordered.map((gap) => (
              <Piece
                key={gap.id}
                name={`${name}-${gap.id}`}
                gap={gap}
                start={start}
                end={end}
                current={gap === current}
                chosen={chosen.has(gap.id)}
                onChoose={onChoose}
              />
            ))}
          </div>
        )}
      </div>
      <span className={coverage !== null && coverage < LOW ? "num warn" : "num"}>
        {format.percent(coverage)}
      </span>
    </div>
  );
}

function Piece(props: {
  name: string;
  gap: GapItem;
  start: number;
  end: number;
  current: boolean;
  chosen: boolean;
  onChoose: (gap: GapItem) => void;
}) {
  const { gap, start, end } = props;
  const { texts } = useSpeech();
  const format = useFormat();
  const from = Date.parse(gap.start);
  const to = gap.end === null ? end : Date.parse(gap.end);
  const percent = (time: number) =>
    Math.min(100, Math.max(0, ((time - start) / (end - start)) * 100));
  const wide = percent(to) - percent(from);
  const words = {
    open: texts.gapOpen,
    requested: texts.gapRequested,
    partly_filled: texts.gapPartlyFilled,
    filled: texts.gapFilled,
    accepted: texts.gapAccepted,
  };
  const label = `${format.span(gap.start, gap.end ?? end)}, ${words[gap.state]}`;
  return (
    <div
      id={props.name}
      role="option"
      className={`piece ${gap.state}${gap.end === null ? " goes-on" : ""}${props.current ? " current" : ""}`}
      aria-selected={props.chosen}
      aria-label={label}
      title={label}
      style={{ left: `${String(percent(from))}%`, width: `max(4px, ${String(wide)}%)` }}
      onClick={() => {
        props.onChoose(gap);
      }}
    >
      {gap.state === "accepted" ? (
        wide > CROSSED && "×"
      ) : (
        <span>
          {format.duration((to - from) / 1000)}
          {gap.state === "requested" && " →"}
        </span>
      )}
    </div>
  );
}
