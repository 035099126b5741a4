"use client";

import type { GapState, SensorState } from "@/api/types";
import { useSpeech } from "@/i18n/language";

/** Shape, word and colour say the same thing: who sees no colour misses nothing. */
export type MarkName =
  | SensorState
  | "gaps"
  | "imported"
  | "requested"
  | "lost"
  | "new-row"
  | "identical"
  | "corrected"
  | "rejected";

const BOXED: Partial<Record<MarkName, [string, string]>> = {
  "new-row": ["var(--acc)", "M6 3.5v5M3.5 6h5"],
  identical: ["var(--t3)", "M3.5 4.7h5M3.5 7.3h5"],
  corrected: ["var(--gap)", "M3.2 6.6c1-1.6 1.9-1.6 2.8-.6s1.8 1 2.8-.6"],
  rejected: ["var(--sil)", "m4 4 4 4M8 4l-4 4"],
};

export function Mark({ name }: { name: MarkName }) {
  const boxed = BOXED[name];
  return (
    <svg className="mark" viewBox="0 0 12 12" aria-hidden="true">
      {boxed ? (
        <g fill="none" stroke={boxed[0]} strokeWidth="1.3">
          <rect x="0.7" y="0.7" width="10.6" height="10.6" rx="2.5" />
          <path d={boxed[1]} />
        </g>
      ) : (
        SHAPES[name]
      )}
    </svg>
  );
}

const SHAPES: Partial<Record<MarkName, React.ReactNode>> = {
  ok: <circle cx="6" cy="6" r="3.5" fill="var(--t3)" />,
  new: (
    <circle
      cx="6"
      cy="6"
      r="4.5"
      fill="none"
      stroke="var(--t3)"
      strokeWidth="1.5"
      strokeDasharray="2.2 2"
    />
  ),
  late: (
    <g>
      <circle cx="6" cy="6" r="4.5" fill="none" stroke="var(--gap)" strokeWidth="1.5" />
      <path d="M6 1.5v9a4.5 4.5 0 0 1 0-9Z" fill="var(--gap)" />
    </g>
  ),
  silent: <path d="M6 0.5 11.5 6 6 11.5 0.5 6Z" fill="var(--sil)" />,
  gaps: (
    <g fill="var(--gap)">
      <path d="M0 4.8h3v2.4H0zM9 4.8h3v2.4H9z" />
      <path d="M3.3 2.5h1.4v7H3.3zM7.3 2.5h1.4v7H7.3z" />
    </g>
  ),
  imported: (
    <rect
      x="0.7"
      y="3.2"
      width="10.6"
      height="5.6"
      rx="1"
      fill="none"
      stroke="var(--t2)"
      strokeWidth="1.4"
    />
  ),
  requested: (
    <path
      d="m1 5.6 10-4.4-3.6 9.8-1.7-4.5zM5.7 6.5 11 1.2"
      fill="none"
      stroke="var(--t2)"
      strokeWidth="1.2"
      strokeLinejoin="round"
    />
  ),
  lost: <path d="m2 2 8 8M10 2l-8 8" stroke="var(--t3)" strokeWidth="1.4" />,
};

export function StateMark({ state, gaps = false }: { state: SensorState; gaps?: boolean }) {
  const { texts } = useSpeech();
  const shown = state === "ok" && gaps ? "gaps" : state;
  const words = {
    ok: texts.reporting,
    late: texts.late,
    silent: texts.silent,
    new: texts.isNew,
    gaps: texts.withGapsShort,
  };
  return (
    <span className={`state ${shown}`}>
      <Mark name={shown} />
      {words[shown]}
    </span>
  );
}

export function GapStateMark({ state, silent }: { state: GapState; silent: boolean }) {
  const { texts } = useSpeech();
  const [mark, word, tone]: [MarkName, string, string] =
    silent && state === "open"
      ? ["silent", texts.gapStillSilent, "silent"]
      : {
          open: ["gaps", texts.gapOpen, "late"] as [MarkName, string, string],
          requested: ["requested", texts.gapRequested, ""] as [MarkName, string, string],
          partly_filled: ["gaps", texts.gapPartlyFilled, "late"] as [MarkName, string, string],
          filled: ["imported", texts.gapFilled, ""] as [MarkName, string, string],
          accepted: ["lost", texts.gapAccepted, "ok"] as [MarkName, string, string],
        }[state];
  return (
    <span className={`state ${tone}`}>
      <Mark name={mark} />
      {word}
    </span>
  );
}
