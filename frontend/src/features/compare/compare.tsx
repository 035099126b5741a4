"use client";

import { useQuery } from "@tanstack/react-query";
import type { ECharts } from "echarts/core";
import Link from "next/link";
import { useCallback, useMemo, useState } from "react";

import { api } from "@/api/client";
import { useAverages } from "@/api/queries";
import { WINDOW_MS, WINDOWS, type WindowName } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Icon } from "@/components/icons";
import { useKeys } from "@/components/keys";
import { PageHead } from "@/components/page-head";
import { Failure, Nothing, Skeleton } from "@/components/states";
import { Switch } from "@/components/switch";
import { WindowSwitch } from "@/components/window-switch";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { token } from "@/lib/colours";
import { csv, save, savePicture } from "@/lib/save";
import { useView } from "@/lib/view";

import { AddSensor } from "./add-sensor";
import { CompareChart } from "./compare-chart";
import { AXES_MAX, comparedOf, lanesByUnit, lanesEach, LETTERS } from "./series-of";
import { Values } from "./values";

const BUCKETS: Record<WindowName, string> = { "24h": "5m", "48h": "10m", "7d": "30m", "30d": "2h" };
type Mode = "unit" | "overlay" | "each";

/** What moved first? */
export function Compare() {
  const { texts } = useSpeech();
  const format = useFormat();
  const view = useView();
  const window = view.window;
  const ids = useMemo(() => [...new Set(view.all("id"))].slice(0, LETTERS.length), [view]);
  const mode: Mode =
    (["overlay", "each"] as const).find((one) => one === view.get("mode")) ?? "unit";
  const [cursor, setCursor] = useState<number | null>(null);
  const [zoom, setZoom] = useState<{ from: number; to: number } | null>(null);
  const [chart, setChart] = useState<ECharts | null>(null);
  const [adding, setAdding] = useState(false);
  const averages = useAverages(window);
  const series = useQuery({
    queryKey: ["series", "compare", window, ...ids],
    queryFn: () => {
      const end = Math.floor(Date.now() / 1000) * 1000;
      const start = new Date(end - WINDOW_MS[window]).toISOString();
      return api.series(ids, start, new Date(end).toISOString(), BUCKETS[window]);
    },
    enabled: ids.length > 0,
    refetchInterval: 30_000,
  });
  const rows = useMemo(
    () => new Map(averages.data?.items.map((item) => [item.equipmentId, item])),
    [averages.data],
  );
  const compared = useMemo(
    () => comparedOf(ids, series.data?.items ?? [], rows),
    [ids, series.data, rows],
  );
  const lanes = useMemo(
    () => (mode === "each" ? lanesEach(compared) : lanesByUnit(compared)),
    [compared, mode],
  );
  const setWindow = (name: WindowName) => {
    setZoom(null);
    view.setWindow(name);
  };
  const keep = useCallback((made: ECharts | null) => {
    setChart(made);
  }, []);
  useKeys(
    Object.fromEntries(
      WINDOWS.map((name, index) => [
        String(index + 1),
        () => {
          setWindow(name);
        },
      ]),
    ),
  );
  const change = (next: string[]) => {
    view.change({ id: next });
  };
  const page = series.data;
  const end = page ? Date.parse(page.end) : 0;
  const picture = () => {
    const url = chart?.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: token("--bg1") });
    if (url) savePicture(url, "compare.png");
  };
  const table = () => {
    const times = [...new Set(compared.flatMap((one) => one.points.map((point) => point.time)))];
    const lines = compared.map((one) => new Map(one.points.map((p) => [p.time, p.mean])));
    save(
      csv(
        ["timestamp", ...compared.map((one) => one.id)],
        times
          .sort((a, b) => a - b)
          .map((time) => [
            new Date(time).toISOString(),
            ...lines.map((line) => line.get(time) ?? null),
          ]),
      ),
      "compare.csv",
    );
  };
  return (
    <main className="compare">
      <PageHead
        title={texts.compare}
        about={fill(texts.ofSensors, { count: format.count(ids.length), most: LETTERS.length })}
      >
        <Switch<Mode>
          label={texts.show}
          value={mode}
          options={[
            { value: "unit", label: texts.byUnit },
            { value: "overlay", label: texts.overlaid },
            { value: "each", label: texts.oneEach },
          ]}
          onChange={(value) => {
            view.change({ mode: value === "unit" ? null : value });
          }}
        />
        <WindowSwitch value={window} onChange={setWindow} />
        <CopyButton text={globalThis.location.href} label={texts.copyLink} />
      </PageHead>
      {ids.length === 0 ? (
        <section className="panel">
          <Nothing
            action={
              <div className="row">
                <button
                  className="primary"
                  onClick={() => {
                    setAdding(true);
                  }}
                >
                  <Icon name="plus" /> {texts.addSensor}
                </button>
                <Link className="button" href="/sensors">
                  {texts.chooseInTable}
                </Link>
              </div>
            }
          >
            {texts.nothingToCompare}
          </Nothing>
        </section>
      ) : (
        <div className="with-side">
          <section className="panel compare-panel" aria-label={texts.chart}>
            {series.isError && !page && (
              <Failure error={series.error} onAgain={() => void series.refetch()} />
            )}
            {series.isPending && <Skeleton lines={10} />}
            {mode === "overlay" && lanes.length > AXES_MAX && (
              <p className="quiet">{fill(texts.tooManyUnits, { most: AXES_MAX })}</p>
            )}
            {page && (
              <CompareChart
                lanes={lanes}
                overlaid={mode === "overlay"}
                start={Date.parse(page.start)}
                end={end}
                zoom={zoom}
                cursor={cursor}
                onCursor={setCursor}
                onZoom={setZoom}
                onReady={keep}
              />
            )}
          </section>
          <aside className="panel side-panel values-panel">
            <Values
              compared={compared}
              cursor={cursor ?? end}
              bucketSeconds={page?.bucketSeconds ?? 300}
              window={window}
              onRemove={(id) => {
                change(ids.filter((one) => one !== id));
              }}
            />
            <p className="quiet">{texts.dragToZoom}</p>
            <div className="side-actions">
              <button
                disabled={ids.length >= LETTERS.length}
                onClick={() => {
                  setAdding(true);
                }}
              >
                <Icon name="plus" /> {texts.addSensor}
              </button>
              <button disabled={!page} onClick={table}>
                <Icon name="download" /> CSV
              </button>
              <button disabled={!chart || !page} onClick={picture}>
                <Icon name="picture" /> PNG
              </button>
              {zoom && (
                <button
                  onClick={() => {
                    setZoom(null);
                  }}
                >
                  {texts.wholeWindow}
                </button>
              )}
            </div>
          </aside>
        </div>
      )}
      {adding && (
        <AddSensor
          items={averages.data?.items ?? []}
          present={ids}
          onAdd={(id) => {
            change([...ids, id]);
            setAdding(false);
          }}
          onClose={() => {
            setAdding(false);
          }}
        />
      )}
    </main>
  );
}
