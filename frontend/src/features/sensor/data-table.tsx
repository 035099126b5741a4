"use client";

import { useFormat, useSpeech } from "@/i18n/language";
import type { LinePoint } from "@/lib/line";

const SHOWN = 400;

/** The chart as figures, newest first. */
export function DataTable({ points }: { points: readonly LinePoint[] }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const shown = points.slice(-SHOWN).reverse();
  return (
    <div className="data-table scroll" tabIndex={0} role="region" aria-label={texts.asTable}>
      <table>
        <thead>
          <tr>
            <th>{texts.timestamp}</th>
            <th className="num">{texts.mean}</th>
            <th className="num">{texts.min}</th>
            <th className="num">{texts.max}</th>
            <th className="num">{texts.readings}</th>
            <th className="num">{texts.imported}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((point) => (
            <tr key={point.time}>
              <td>{format.moment(point.time)}</td>
              <td className="num strong">{format.number(point.mean)}</td>
              <td className="num">{format.number(point.min)}</td>
              <td className="num">{format.number(point.max)}</td>
              <td className="num">{format.count(point.count)}</td>
              <td className="num">{format.count(point.imported)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
