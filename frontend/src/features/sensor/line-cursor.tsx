"use client";

import type { GapItem, GapSpan } from "@/api/types";
import { GapStateMark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import type { LinePoint } from "@/lib/line";

export interface CursorAt {
  x: number;
  /** Of the mean; null in a gap. */
  y: number | null;
  index: number;
  gap: GapSpan | null;
  focused: boolean;
}

interface Props {
  at: CursorAt;
  point: LinePoint | undefined;
  bucketMs: number;
  unit: string | null;
  ledger: readonly GapItem[];
  end: number;
}

const CARD = 196;

/** The upright line, the dot on the mean, and beside it, never on it, what was read. */
export function LineCursor({ at, point, bucketMs, unit, ledger, end }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const decimals = decimalsOf(unit);
  const left = at.x > 320 ? at.x - CARD - 12 : at.x + 12;
  const entry = at.gap && ledger.find((gap) => gap.start === at.gap?.start);
  return (
    <>
      <i className="cursor-line" style={{ left: at.x }} />
      {at.y !== null && <i className="cursor-dot" style={{ left: at.x, top: at.y }} />}
      <div
        className="cursor-card"
        style={{ left }}
        role="status"
        aria-live={at.focused ? "polite" : "off"}
      >
        {at.gap ? (
          <>
            <b>{texts.gap}</b>
            <p>{format.span(at.gap.start, at.gap.end ?? end)}</p>
            {entry && (
              <p>
                <GapStateMark state={entry.state} silent={entry.end === null} /> ·{" "}
                {fill(texts.missingCount, { count: format.count(entry.expected) })}
              </p>
            )}
          </>
        ) : (
          point && (
            <>
              <b>
                {format.minute(point.time)}–{format.time(point.time + bucketMs)}
              </b>
              <p>
                {point.imported > 0 ? texts.imported.toLowerCase() : texts.liveReading} ·{" "}
                {fill(point.count === 1 ? texts.oneReading : texts.readingsCount, {
                  count: format.count(point.count),
                })}
              </p>
              <dl>
                <dt>{texts.max}</dt>
                <dd>{format.number(point.max, decimals)}</dd>
                <dt>
                  <b>{texts.mean}</b>
                </dt>
                <dd>
                  <b>
                    {format.number(point.mean, decimals)} {unit}
                  </b>
                </dd>
                <dt>{texts.min}</dt>
                <dd>{format.number(point.min, decimals)}</dd>
              </dl>
            </>
          )
        )}
      </div>
    </>
  );
}
