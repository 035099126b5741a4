"use client";

import Link from "next/link";

import type { WindowName } from "@/api/types";
import { Icon } from "@/components/icons";
import { Mark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import { pointAt } from "@/lib/line";
import { sensorLink } from "@/lib/view";

import type { Compared } from "./series-of";

interface Props {
  compared: readonly Compared[];
  cursor: number;
  bucketSeconds: number;
  window: WindowName;
  onRemove: (id: string) => void;
}

/** What each shows at the cursor, and how far that is from its mean. */
export function Values({ compared, cursor, bucketSeconds, window, onRemove }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <>
      <header>
        <div className="row">
          <h2>{texts.atCursor}</h2>
          <b className="push">{format.moment(cursor)}</b>
        </div>
        <p className="quiet">
          {fill(texts.valuesAre, {
            time: format.duration(bucketSeconds).replace(/[.,]0 s$/, " s"),
          })}
        </p>
      </header>
      <ul className="values">
        {compared.map((one) => {
          const point = one.points[pointAt(one.points, cursor)];
          const near = point && cursor - point.time < bucketSeconds * 3_000 && cursor >= point.time;
          const decimals = decimalsOf(one.unit || null);
          return (
            <li key={one.id}>
              <span
                className={one.dashed ? "letter dashed" : "letter"}
                style={{ borderColor: `var(${one.colour})`, color: `var(${one.colour})` }}
              >
                {one.letter}
              </span>
              <span className="who">
                <Link href={sensorLink(one.id, window)}>{one.id}</Link>
                {one.gaps.length > 0 && (
                  <small className="warn">
                    <Mark name="gaps" />
                    {fill(one.gaps.length === 1 ? texts.oneGap : texts.manyGaps, {
                      count: one.gaps.length,
                    })}
                  </small>
                )}
                <small className="clip">{one.name ?? one.kind}</small>
              </span>
              <span className="num">
                <b>{near ? format.number(point.mean, decimals) : "–"}</b>{" "}
                <span className="unit">{one.unit}</span>
                <small>
                  {!near
                    ? texts.noReadingThere
                    : one.mean !== null &&
                      fill(texts.vsMean, {
                        change: format.change(point.mean - one.mean, decimals),
                      })}
                </small>
              </span>
              <button
                className="icon-only quietly small"
                aria-label={fill(texts.removeOne, { name: one.id })}
                title={fill(texts.removeOne, { name: one.id })}
                onClick={() => {
                  onRemove(one.id);
                }}
              >
                <Icon name="close" />
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}
