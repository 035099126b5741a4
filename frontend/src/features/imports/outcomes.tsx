"use client";

import { Mark, type MarkName } from "@/components/marks";
import { useFormat, useSpeech } from "@/i18n/language";

export interface Counts {
  new: number | null;
  identical: number | null;
  corrected: number | null;
  rejected: number;
  accepted: number;
  repeated: number | null;
}

/** What becomes of the rows: four outcomes, and the same as one bar. */
export function Outcomes({ counts }: { counts: Counts }) {
  const { texts } = useSpeech();
  const format = useFormat();
  // A store that keeps the last write only cannot know what a row does to the one before.
  const split = counts.new !== null;
  const parts: { mark: MarkName; label: string; about: string; value: number; colour: string }[] =
    split
      ? [
          {
            mark: "new-row",
            label: texts.isNewRow,
            about: texts.newHelp,
            value: counts.new ?? 0,
            colour: "var(--acc)",
          },
          {
            mark: "identical",
            label: texts.identical,
            about: texts.identicalHelp,
            value: (counts.identical ?? 0) + (counts.repeated ?? 0),
            colour: "var(--t3)",
          },
          {
            mark: "corrected",
            label: texts.corrected,
            about: texts.correctedHelp,
            value: counts.corrected ?? 0,
            colour: "var(--gap)",
          },
        ]
      : [
          {
            mark: "new-row",
            label: texts.accepted,
            about: texts.unsplit,
            value: counts.accepted,
            colour: "var(--acc)",
          },
        ];
  parts.push({
    mark: "rejected",
    label: texts.rejected,
    about: texts.rejectedHelp,
    value: counts.rejected,
    colour: "var(--sil)",
  });
  const total = parts.reduce((sum, part) => sum + part.value, 0);
  let left = 0;
  return (
    <>
      <ul className="outcomes">
        {parts.map((part) => (
          <li key={part.label}>
            <span>
              <Mark name={part.mark} /> {part.label}
            </span>
            <b className="value-m">{format.count(part.value)}</b>
            <small>{part.about}</small>
          </li>
        ))}
      </ul>
      <svg
        className="outcome-bar"
        viewBox="0 0 1000 10"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {parts.map((part) => {
          if (part.value === 0 || total === 0) return null;
          const wide = Math.max(5, (part.value / total) * 985);
          const x = left;
          left += wide + 3;
          return <rect key={part.label} x={x} width={wide} height="10" fill={part.colour} />;
        })}
      </svg>
    </>
  );
}
