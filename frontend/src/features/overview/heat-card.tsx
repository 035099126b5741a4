"use client";

import { useRowSeries } from "@/api/row-series";
import type { AverageItem, WindowName } from "@/api/types";
import { useLiveReading } from "@/api/use-live";
import { StateMark } from "@/components/marks";
import { Sparkline } from "@/components/sparkline";
import { useWindowNames } from "@/components/window-switch";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import { useNow } from "@/lib/now";
import { hasGaps } from "@/lib/shape";

interface Props {
  item: AverageItem;
  window: WindowName;
  x: number;
  y: number;
  within: number;
  pitch: number;
}

const WIDE = 250;

/** What a cell is, beside it. */
export function HeatCard({ item, window, x, y, within, pitch }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const names = useWindowNames();
  const now = useNow();
  const told = useLiveReading(item.equipmentId);
  const series = useRowSeries(window, item.equipmentId);
  const decimals = decimalsOf(item.unit);
  const left = Math.max(0, Math.min(within - WIDE, x - WIDE / 2));
  const gaps = series?.gaps.length ?? 0;
  return (
    <div className="heat-card" aria-hidden="true" style={{ left, top: y + pitch + 6 }}>
      <div className="row">
        <b>{item.equipmentId}</b>
        <span className="push">
          <StateMark state={item.state} gaps={hasGaps(item)} />
        </span>
      </div>
      <p className="clip">{item.name ?? item.kind}</p>
      <Sparkline series={series} live={item.state === "ok" || item.state === "late"} />
      <dl>
        <dt>{texts.last}</dt>
        <dd>
          <b>{format.number(told?.value ?? item.lastValue, decimals)}</b> {item.unit} ·{" "}
          {format.ago(told?.timestamp ?? item.lastTimestamp, now)}
        </dd>
        <dt>
          {texts.mean} {names[window]}
        </dt>
        <dd>
          {format.number(item.mean, decimals)} {item.unit}
        </dd>
        <dt>{texts.coverage}</dt>
        <dd>
          {format.percent(item.coverage)}
          {gaps > 0 && ` · ${fill(gaps === 1 ? texts.oneGap : texts.manyGaps, { count: gaps })}`}
        </dd>
      </dl>
    </div>
  );
}
