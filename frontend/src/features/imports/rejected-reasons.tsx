"use client";

import { useMemo } from "react";

import type { ImportItem } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";

const REASONS = 6;

/** Why rows were rejected, the most frequent reason first, each with where it was met. */
export function RejectedReasons({ item }: { item: ImportItem }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const { errors, rejected } = item.receipt;
  const reasons = useMemo(() => {
    const found = new Map<string, number[]>();
    for (const error of errors) {
      const key = `${error.field} ${error.reason}`;
      const lines = found.get(key);
      if (lines) lines.push(error.line ?? 0);
      else found.set(key, [error.line ?? 0]);
    }
    return [...found].sort((a, b) => b[1].length - a[1].length).slice(0, REASONS);
  }, [errors]);
  if (rejected === 0) return null;
  return (
    <section className="reasons" aria-label={texts.whyRejected}>
      <h3>{fill(texts.whyRejectedCount, { count: format.count(rejected) })}</h3>
      <ul>
        {reasons.map(([reason, lines]) => (
          <li key={reason}>
            <b className="num">{format.count(lines.length)}</b>
            <span>
              {reason},{" "}
              {fill(lines.length === 1 ? texts.lineOne : texts.lineMany, {
                line: format.count(Math.min(...lines)),
                last: format.count(Math.max(...lines)),
              })}
            </span>
          </li>
        ))}
      </ul>
      {errors.length < rejected && (
        <p className="quiet">{fill(texts.firstErrors, { count: format.count(errors.length) })}</p>
      )}
    </section>
  );
}
