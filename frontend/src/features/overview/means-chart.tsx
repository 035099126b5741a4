"use client";

import { useCallback, useMemo, useState } from "react";

import type { AverageItem } from "@/api/types";
import { Chart, token, tooltipBox, tooltipLines } from "@/components/chart";
import { useTheme } from "@/components/theme";
import { useSpeech } from "@/i18n/language";
import { number, tick } from "@/lib/format";
import { unitsOf } from "@/lib/shape";

const BAR_PX = 14;

/** A bar from the lowest to the highest reading of each sensor, with a tick at its mean. */
export function MeansChart({
  items,
  onSelect,
}: {
  items: AverageItem[];
  onSelect: (item: AverageItem) => void;
}) {
  const { texts, language } = useSpeech();
  const { dark } = useTheme();
  const [wanted, setWanted] = useState<string | null>(null);
  const units = useMemo(() => unitsOf(items), [items]);
  const unit = wanted !== null && units.includes(wanted) ? wanted : (units[0] ?? "");
  const withMean = useMemo(
    () => items.filter((item) => item.mean !== null && (item.unit ?? "") === unit),
    [items, unit],
  );
  const shownAtFirst = innerWidth / BAR_PX / 2;
  const end = Math.min(100, (100 * shownAtFirst) / Math.max(withMean.length, 1));
  const option = useMemo(() => {
    const quiet = { color: token("--t3") };
    return {
      grid: { left: 64, right: 12, top: 12, bottom: 72 },
      tooltip: {
        ...tooltipBox(),
        trigger: "axis" as const,
        axisPointer: { type: "line" as const, lineStyle: { color: token("--acc") } },
        formatter: (found: unknown) => {
          const index = (found as { dataIndex: number }[])[0]?.dataIndex ?? 0;
          const item = withMean[index];
          if (!item) return "";
          const figure = (value: number | null) => `${number(value, language)} ${item.unit ?? ""}`;
          return tooltipLines([
            item.equipmentId,
            item.name ?? "",
            `${texts.max} ${figure(item.max)}`,
            `${texts.mean} ${figure(item.mean)}`,
            `${texts.min} ${figure(item.min)}`,
          ]);
        },
      },
      dataZoom: [
        { type: "inside" as const, zoomOnMouseWheel: "ctrl" as const },
        {
          type: "slider" as const,
          height: 18,
          bottom: 8,
          brushSelect: false,
          showDetail: false,
          showDataShadow: false,
          borderColor: token("--line"),
          fillerColor: token("--accbg"),
          handleStyle: { color: token("--bg1"), borderColor: token("--acc") },
          moveHandleStyle: { color: token("--line2") },
        },
      ],
      xAxis: {
        type: "category" as const,
        data: withMean.map((item) => item.equipmentId),
        axisLabel: { ...quiet, rotate: 45, fontSize: 10 },
      },
      yAxis: {
        type: "value" as const,
        scale: true,
        axisLabel: { ...quiet, formatter: (value: number) => tick(value, language) },
        splitLine: { lineStyle: { color: token("--line") } },
      },
      series: [
        {
          type: "bar" as const,
          stack: "range",
          // Below zero too, the bar starts at its lowest reading.
          stackStrategy: "all" as const,
          silent: true,
          itemStyle: { color: "transparent" },
          data: withMean.map((item) => item.min),
        },
        {
          type: "bar" as const,
          stack: "range",
          stackStrategy: "all" as const,
          barMaxWidth: 12,
          barMinHeight: 2,
          itemStyle: { color: token("--spark"), opacity: 0.55 },
          data: withMean.map((item) => (item.max ?? 0) - (item.min ?? 0)),
        },
        {
          type: "scatter" as const,
          symbol: "rect",
          symbolSize: [10, 2.5],
          itemStyle: { color: token("--t1") },
          data: withMean.map((item) => item.mean),
        },
      ],
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `dark` changes what token() reads
  }, [withMean, language, texts, dark]);
  const pick = useCallback(
    (index: number) => {
      const item = withMean[index];
      if (item) onSelect(item);
    },
    [withMean, onSelect],
  );
  return (
    <section className="panel chart-panel">
      <div className="row">
        <h2>{texts.meansChart}</h2>
        {units.length > 1 && (
          <select
            className="push"
            aria-label={texts.showUnit}
            value={unit}
            onChange={(event) => {
              setWanted(event.target.value);
            }}
          >
            {units.map((one) => (
              <option key={one} value={one}>
                {one || texts.noUnit}
              </option>
            ))}
          </select>
        )}
      </div>
      {withMean.length === 0 ? (
        <p className="quiet">{texts.noReadings}</p>
      ) : (
        <Chart
          label={texts.meansChart}
          option={option}
          zoomEnd={end}
          zoomKey={`${unit} ${withMean.length}`}
          onPick={pick}
        />
      )}
    </section>
  );
}
