"use client";

import { useCallback, useMemo } from "react";

import type { AverageItem } from "@/api/types";
import { Chart, token } from "@/components/chart";
import { useSpeech } from "@/i18n/language";
import { number } from "@/lib/format";

const SHOWN_AT_FIRST = 60;

/** A bar from the lowest to the highest reading of each sensor, with a tick at its mean. */
export function MeansChart({
  items,
  onSelect,
}: {
  items: AverageItem[];
  onSelect: (item: AverageItem) => void;
}) {
  const { texts, language } = useSpeech();
  const withMean = useMemo(() => items.filter((item) => item.mean !== null), [items]);
  const option = useMemo(() => {
    const end = Math.min(100, (100 * SHOWN_AT_FIRST) / Math.max(withMean.length, 1));
    const quiet = { color: token("--t3") };
    return {
      grid: { left: 64, right: 12, top: 12, bottom: 72 },
      tooltip: {
        trigger: "axis" as const,
        formatter: (found: unknown) => {
          const index = (found as { dataIndex: number }[])[0]?.dataIndex ?? 0;
          const item = withMean[index];
          if (!item) return "";
          const safe = document.createElement("span");
          const figure = (value: number | null) => number(value, language);
          safe.textContent = `${item.equipmentId}: ${figure(item.mean)} ${item.unit ?? ""} (${figure(item.min)} – ${figure(item.max)})`;
          return safe.innerHTML;
        },
      },
      dataZoom: [
        { type: "inside" as const, start: 0, end },
        { type: "slider" as const, start: 0, end, height: 18, bottom: 8, brushSelect: false },
      ],
      xAxis: {
        type: "category" as const,
        data: withMean.map((item) => item.equipmentId),
        axisLabel: { ...quiet, rotate: 45, fontSize: 10 },
      },
      yAxis: {
        type: "value" as const,
        scale: true,
        axisLabel: quiet,
        splitLine: { lineStyle: { color: token("--line") } },
      },
      series: [
        {
          type: "bar" as const,
          stack: "range",
          silent: true,
          itemStyle: { color: "transparent" },
          data: withMean.map((item) => item.min),
        },
        {
          type: "bar" as const,
          stack: "range",
          barMaxWidth: 12,
          barMinHeight: 2,
          itemStyle: { color: token("--spark"), opacity: 0.55 },
          data: withMean.map((item) => (item.max ?? 0) - (item.min ?? 0)),
        },
        {
          type: "scatter" as const,
          symbol: "rect",
          symbolSize: [12, 3],
          itemStyle: { color: token("--t1") },
          data: withMean.map((item) => item.mean),
        },
      ],
    };
  }, [withMean, language]);
  const pick = useCallback(
    (index: number) => {
      const item = withMean[index];
      if (item) onSelect(item);
    },
    [withMean, onSelect],
  );
  return (
    <section className="panel">
      <h2>{texts.meansChart}</h2>
      <Chart label={texts.meansChart} option={option} onPick={pick} />
    </section>
  );
}
