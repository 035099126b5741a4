"use client";

import { useMemo } from "react";

import type { AverageItem, SensorItem } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import type { LinePoint } from "@/lib/line";

import { useFirstReading } from "./use-sensor";

/** What the registry knows of it. */
export function Facts({ sensor }: { sensor: SensorItem }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const first = useFirstReading(sensor.equipmentId);
  const { rangeMin: low, rangeMax: high } = sensor;
  const range =
    low === null && high === null
      ? null
      : `${format.tick(low ?? -Infinity)}–${format.tick(high ?? Infinity)} ${sensor.unit ?? ""}`;
  const facts: [string, string | null][] = [
    [texts.kind, sensor.kind],
    [texts.location, sensor.location],
    [texts.equipment, sensor.equipment],
    [texts.source, sensor.source],
    [texts.expectedEvery, useCadence(sensor)],
    [texts.instrumentRange, range],
    [texts.firstReading, first.data ? format.date(first.data) : null],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? "–"}</dd>
        </div>
      ))}
    </dl>
  );
}

function useCadence(sensor: SensorItem): string | null {
  const { texts } = useSpeech();
  const format = useFormat();
  const { cadenceSeconds: set, learnedCadenceSeconds: learned } = sensor;
  if (set === 0) return texts.eventDriven;
  if (set !== null) return `${format.duration(set)} (${texts.cadenceSet})`;
  return learned === null ? null : format.duration(learned);
}

interface InWindow {
  item: AverageItem | undefined;
  points: readonly LinePoint[];
  unit: string | null;
}

/** What stands out in this window. */
export function WindowFacts({ item, points, unit }: InWindow) {
  const { texts } = useSpeech();
  const format = useFormat();
  const decimals = decimalsOf(unit);
  const found = useMemo(() => {
    let high: LinePoint | undefined;
    let low: LinePoint | undefined;
    let imported = 0;
    for (const point of points) {
      if (!high || point.max > high.max) high = point;
      if (!low || point.min < low.min) low = point;
      imported += point.imported;
    }
    return { high, low, imported };
  }, [points]);
  const at = (point: LinePoint | undefined, value: number | undefined) =>
    point && value !== undefined ? (
      <>
        <b>{format.number(value, decimals)}</b>{" "}
        {fill(texts.atTime, { time: format.minute(point.time) })}
      </>
    ) : (
      "–"
    );
  const readings = item
    ? item.expected === null
      ? format.count(item.count)
      : fill(texts.ofCount, {
          count: format.count(item.count),
          total: format.count(Math.max(item.expected, item.count)),
        })
    : "–";
  return (
    <section aria-label={texts.inThisWindow}>
      <h2>{texts.inThisWindow}</h2>
      <dl className="facts">
        <div>
          <dt>{texts.highest}</dt>
          <dd>{at(found.high, found.high?.max)}</dd>
        </div>
        <div>
          <dt>{texts.lowest}</dt>
          <dd>{at(found.low, found.low?.min)}</dd>
        </div>
        <div>
          <dt>{texts.longestGap}</dt>
          <dd>{item?.longestGapSeconds ? format.duration(item.longestGapSeconds) : "–"}</dd>
        </div>
        <div>
          <dt>{texts.readings}</dt>
          <dd>{readings}</dd>
        </div>
        <div>
          <dt>{texts.ofWhichImported}</dt>
          <dd>{points.length > 0 ? format.count(found.imported) : "–"}</dd>
        </div>
      </dl>
    </section>
  );
}
