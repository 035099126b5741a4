"use client";

import { useState, type Ref } from "react";

import type { AverageItem } from "@/api/types";
import { useFormat, useSpeech } from "@/i18n/language";
import { csv } from "@/lib/save";
import { histograms, type Histogram } from "@/lib/shape";

const BARS = 28;
const SHOWN = 6;

export const spreadOf = (items: readonly AverageItem[]) => histograms(items, BARS).slice(0, SHOWN);

/** The bars as figures, those without a sensor too. */
export function spreadCsv(found: readonly Histogram[]): Blob {
  return csv(
    ["kind", "unit", "from", "to", "sensors"],
    found.flatMap((one) =>
      one.bars.map((bar) => [one.kind, one.unit, bar.from, bar.to, bar.items]),
    ),
  );
}

/** How the means are spread, one small chart for each kind and unit. */
export function Distribution({
  found,
  ref,
}: {
  found: readonly Histogram[];
  ref: Ref<HTMLDivElement>;
}) {
  const { texts } = useSpeech();
  if (found.length === 0) return <p className="quiet">{texts.noReadings}</p>;
  return (
    <div className="distribution" ref={ref}>
      {found.map((one) => (
        <Chart key={`${one.kind} ${one.unit}`} histogram={one} />
      ))}
    </div>
  );
}

function Chart({ histogram }: { histogram: Histogram }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [at, setAt] = useState<number | null>(null);
  const most = Math.max(...histogram.bars.map((bar) => bar.items));
  const kind = histogram.kind || texts.noName;
  const bar = at === null ? undefined : histogram.bars[at];
  const step = (by: number) => {
    setAt(Math.max(0, Math.min(BARS - 1, (at ?? (by > 0 ? -1 : BARS)) + by)));
  };
  return (
    <figure>
      <figcaption>
        <b>{kind}</b> <span className="unit">{histogram.unit}</span>
        <output>
          {bar
            ? `${format.tick(Number(bar.from.toPrecision(4)))}–${format.tick(Number(bar.to.toPrecision(4)))}: ${format.count(bar.items)}`
            : `${format.count(histogram.count)} ${texts.sensors.toLowerCase()}`}
        </output>
      </figcaption>
      <svg
        viewBox={`0 0 ${String(BARS * 10)} 100`}
        preserveAspectRatio="none"
        role="slider"
        tabIndex={0}
        aria-label={`${texts.distribution}: ${kind}`}
        aria-valuemin={0}
        aria-valuemax={BARS - 1}
        aria-valuenow={at ?? 0}
        aria-valuetext={
          bar
            ? `${format.number(bar.from)}–${format.number(bar.to)} ${histogram.unit}: ${format.count(bar.items)}`
            : undefined
        }
        onKeyDown={(event) => {
          if (event.key === "ArrowRight") step(1);
          else if (event.key === "ArrowLeft") step(-1);
          else return;
          event.preventDefault();
        }}
        onMouseMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          setAt(Math.min(BARS - 1, Math.floor(((event.clientX - box.left) / box.width) * BARS)));
        }}
        onMouseLeave={() => {
          setAt(null);
        }}
        onBlur={() => {
          setAt(null);
        }}
      >
        <line className="floor" x1="0" x2={BARS * 10} y1="99.5" y2="99.5" />
        {histogram.bars.map((one, index) => (
          <rect
            key={one.from}
            className={index === at ? "here" : undefined}
            x={index * 10 + 0.7}
            width="8.6"
            y={99 - (one.items / most) * 94}
            height={(one.items / most) * 94}
          />
        ))}
      </svg>
      <div className="ends">
        <span>{format.tick(Number(histogram.low.toPrecision(4)))}</span>
        <span>{format.tick(Number(histogram.high.toPrecision(4)))}</span>
      </div>
    </figure>
  );
}
