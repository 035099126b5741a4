"use client";

import { fill, useFormat, useSpeech } from "@/i18n/language";
import type { LinePoint } from "@/lib/line";

const SHOWN = 400;

/** The chart as figures, newest first. */
export function DataTable(props: {
  points: readonly LinePoint[];
  onPoint: (point: LinePoint) => void;
}) {
  const { texts } = useSpeech();
  const format = useFormat();
  const shown = props.points.slice(-SHOWN).reverse();
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
              <td>
                <button
                  className="link"
                  aria-label={fill(texts.openReadings, { time: format.moment(point.time) })}
                  onClick={() => {
                    props.onPoint(point);
                  }}
                >
                  {format.moment(point.time)}
                </button>
              </td>
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
