"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState, type FormEvent } from "react";

import { api } from "@/api/client";
import type { AverageItem, SensorItem } from "@/api/types";
import { Chart, hatch, token, tooltipBox, tooltipLines } from "@/components/chart";
import { useTheme } from "@/components/theme";
import type { Texts } from "@/i18n/en";
import { fill, useSpeech } from "@/i18n/language";
import { count, moment, number, tick } from "@/lib/format";
import { gapAreas, linePoints } from "@/lib/shape";

const HOURS: Record<string, number> = { "24h": 24, "48h": 48, "7d": 168, "30d": 720 };
const LIVE_MS = 5_000;

interface Props {
  id: string;
  window: string;
  onClose: () => void;
}

/** One sensor over the window: mean line, min–max band, and what the registry knows of it. */
export function SensorPanel({ id, window, onClose }: Props) {
  const { texts, language } = useSpeech();
  const { dark } = useTheme();
  // The overview asks the same question: one request serves both.
  const averages = useQuery({
    queryKey: ["averages", window],
    queryFn: () => api.averages(window),
  });
  const known = averages.data?.items.find((item) => item.equipmentId === id);
  const unit = known?.unit ?? null;
  const series = useQuery({
    queryKey: ["series", id, window],
    queryFn: () => {
      const end = Date.now();
      const start = end - (HOURS[window] ?? 24) * 3_600_000;
      return api.series(id, new Date(start).toISOString(), new Date(end).toISOString());
    },
    refetchInterval: LIVE_MS,
  });
  const buckets = series.data?.items[0]?.buckets ?? [];
  const option = useMemo(() => {
    const points = linePoints(
      series.data?.items[0]?.buckets ?? [],
      series.data?.bucketSeconds ?? 1,
    );
    const accent = token("--acc");
    const line = {
      type: "line" as const,
      showSymbol: points.length < 60,
      connectNulls: false,
      lineStyle: { width: 0 },
      stack: "band",
      // Below zero too, the band starts at its lowest reading.
      stackStrategy: "all" as const,
      symbol: "none",
    };
    return {
      grid: { left: 56, right: 12, top: 12, bottom: 28 },
      tooltip: {
        ...tooltipBox(),
        trigger: "axis" as const,
        axisPointer: { type: "line" as const, lineStyle: { color: token("--line2") } },
        formatter: (found: unknown) => {
          const index = (found as { dataIndex: number }[])[0]?.dataIndex ?? 0;
          const point = points[index];
          if (!point || point.mean === null) return "";
          const figure = (value: number | null) => `${number(value, language)} ${unit ?? ""}`;
          return tooltipLines([
            moment(new Date(point.time).toISOString(), language),
            `${texts.max} ${figure(point.max)}`,
            `${texts.mean} ${figure(point.mean)}`,
            `${texts.min} ${figure(point.min)}`,
            `${texts.readings} ${count(point.count, language)}`,
          ]);
        },
      },
      xAxis: {
        type: "time" as const,
        min: series.data?.start,
        max: series.data?.end,
        axisLine: { lineStyle: { color: token("--line2") } },
        axisLabel: { color: token("--t3"), hideOverlap: true },
      },
      yAxis: {
        type: "value" as const,
        scale: true,
        axisLabel: {
          color: token("--t3"),
          formatter: (value: number) => tick(value, language),
        },
        splitLine: { lineStyle: { color: token("--line") } },
      },
      series: [
        { ...line, name: "low", data: points.map((p) => [p.time, p.min]) },
        {
          ...line,
          name: texts.band,
          areaStyle: { color: accent, opacity: 0.18 },
          data: points.map((p) => [
            p.time,
            p.max === null || p.min === null ? null : p.max - p.min,
          ]),
        },
        {
          type: "line" as const,
          name: texts.meanLine,
          showSymbol: points.length < 60,
          symbolSize: 4,
          connectNulls: false,
          color: accent,
          lineStyle: { width: 1.75, color: accent },
          data: points.map((p) => [p.time, p.mean]),
          markArea: {
            silent: true,
            itemStyle: { color: hatch(token("--line2")), opacity: 1 },
            data: gapAreas(
              series.data?.items[0]?.gaps ?? [],
              series.data?.start ?? "",
              series.data?.end ?? "",
            ),
          },
        },
      ],
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `dark` changes what token() reads
  }, [series.data, language, texts, unit, dark]);
  const readings = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  return (
    <section className="panel" aria-label={id}>
      <div className="row">
        <h1>{id}</h1>
        <span className="quiet">{known?.name}</span>
        <button className="push" onClick={onClose}>
          {texts.close}
        </button>
      </div>
      {known && (
        <div className="figures small">
          {figures(known, texts).map(([label, value]) => (
            <div key={label} className="figure">
              <span>{label}</span>
              <b>
                {number(value, language)} <span>{unit}</span>
              </b>
            </div>
          ))}
        </div>
      )}
      {series.isError && (
        <p className="error" role="alert">
          {texts.failed} <button onClick={() => void series.refetch()}>{texts.again}</button>
        </p>
      )}
      {series.data && buckets.length === 0 && <p className="quiet">{texts.noReadings}</p>}
      <Chart label={`${id}: ${texts.meanLine}, ${texts.band}`} option={option} />
      <p className="quiet">
        {fill(texts.drawnAs, {
          readings: count(readings, language),
          points: count(buckets.length, language),
        })}
      </p>
      <Registration id={id} />
    </section>
  );
}

function figures(item: AverageItem, texts: Texts): [string, number | null][] {
  return [
    [texts.last, item.lastValue],
    [texts.mean, item.mean],
    [texts.min, item.min],
    [texts.max, item.max],
  ];
}

const FIELDS = ["name", "kind", "unit", "location", "equipment", "source"] as const;

function Registration({ id }: { id: string }) {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const sensor = useQuery({ queryKey: ["sensor", id], queryFn: () => api.sensor(id) });
  const [editing, setEditing] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  if (!sensor.data) return null;
  const known = sensor.data;
  const save = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => (form.get(name) as string).trim() || null;
    const limit = (name: string) => {
      const given = text(name);
      return given === null ? null : Number(given);
    };
    const changes: Partial<SensorItem> = {
      ...Object.fromEntries(FIELDS.map((name) => [name, text(name)])),
      rangeMin: limit("rangeMin"),
      rangeMax: limit("rangeMax"),
    };
    try {
      await api.changeSensor(id, changes);
      setEditing(false);
      setFault(null);
      await client.invalidateQueries();
    } catch (error) {
      setFault(error instanceof Error ? error.message : texts.failed);
    }
  };
  if (!editing)
    return (
      <div className="row">
        <span className="quiet">
          {FIELDS.map((name) => known[name])
            .filter(Boolean)
            .join(" · ")}
        </span>
        <button
          className="push"
          onClick={() => {
            setEditing(true);
          }}
        >
          {texts.edit}
        </button>
      </div>
    );
  return (
    <form onSubmit={(event) => void save(event)}>
      <div className="fields">
        {FIELDS.map((name) => (
          <label key={name}>
            {texts[name]}
            <input name={name} maxLength={200} defaultValue={known[name] ?? ""} />
          </label>
        ))}
        {(["rangeMin", "rangeMax"] as const).map((name) => (
          <label key={name}>
            {texts[name]}
            <input name={name} type="number" step="any" defaultValue={known[name] ?? ""} />
          </label>
        ))}
      </div>
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      <p className="row">
        <button className="primary" type="submit">
          {texts.save}
        </button>
        <button
          type="button"
          onClick={() => {
            setEditing(false);
          }}
        >
          {texts.cancel}
        </button>
      </p>
    </form>
  );
}
