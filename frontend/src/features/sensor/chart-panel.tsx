"use client";

import type { ECharts } from "echarts/core";
import { useState } from "react";

import { useAverageOf } from "@/api/queries";
import { WINDOWS, type AverageItem, type GapItem, type WindowName } from "@/api/types";
import { Icon } from "@/components/icons";
import { Failure, Nothing, Skeleton } from "@/components/states";
import { useWindowNames } from "@/components/window-switch";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import type { LinePoint } from "@/lib/line";

import { DataTable } from "./data-table";
import { LineChart, type Zoom } from "./line-chart";
import { ReadingsDialog } from "./readings-dialog";
import type { useLine } from "./use-sensor";

interface Props {
  id: string;
  unit: string | null;
  window: WindowName;
  line: ReturnType<typeof useLine>;
  item: AverageItem | undefined;
  ledger: readonly GapItem[];
  zoom: Zoom | null;
  onZoom: (zoom: Zoom | null) => void;
  onChart: (chart: ECharts | null) => void;
  onWindow: (window: WindowName) => void;
}

const NO_GAPS: never[] = [];

/** The chart with its key, or why there is none. */
export function ChartPanel(props: Props) {
  const { line, item } = props;
  const { texts } = useSpeech();
  const format = useFormat();
  const [table, setTable] = useState(false);
  const [opened, setOpened] = useState<LinePoint | null>(null);
  const page = line.whole.data;
  const readings = line.points.reduce((sum, point) => sum + point.count, 0);
  return (
    <section className="panel chart-panel" aria-label={texts.chart}>
      <header className="row">
        <ul className="legend">
          <li>
            <i className="key-line" />
            {fill(texts.meanPer, {
              time: format.duration(line.bucketSeconds).replace(/[.,]0 s$/, " s"),
            })}
          </li>
          <li>
            <i className="key-band" />
            {texts.band}
          </li>
          <li>
            <i className="key-gap" />
            {texts.gap}
          </li>
          <li>
            <i className="key-imported" />
            {texts.importedReading}
          </li>
        </ul>
        <span className="quiet push">
          {line.points.length > 0 &&
            fill(texts.drawnAs, {
              readings: format.count(readings),
              points: format.count(line.points.length),
            })}
        </span>
        <button
          className="small icon-only"
          aria-pressed={table}
          aria-label={texts.asTable}
          title={texts.asTable}
          onClick={() => {
            setTable(!table);
          }}
        >
          <Icon name={table ? "chart" : "table"} />
        </button>
      </header>
      {line.whole.isError && !page && (
        <Failure
          error={line.whole.error}
          what={texts.chartFailed}
          onAgain={() => void line.whole.refetch()}
        />
      )}
      {line.whole.isPending && <Skeleton lines={9} />}
      {page && line.points.length === 0 && (
        <NoReadings id={props.id} window={props.window} onWindow={props.onWindow} />
      )}
      {page && line.points.length > 0 && table && (
        <DataTable points={line.points} onPoint={setOpened} />
      )}
      {page && line.points.length > 0 && !table && (
        <div className="dims" aria-busy={line.whole.isPlaceholderData}>
          <LineChart
            id={props.id}
            unit={props.unit}
            points={line.points}
            overall={line.overall}
            gaps={page.items[0]?.gaps ?? NO_GAPS}
            ledger={props.ledger}
            start={Date.parse(page.start)}
            end={Date.parse(page.end)}
            zoom={props.zoom}
            bucketMs={line.bucketSeconds * 1000}
            mean={line.whole.isPlaceholderData ? null : (item?.mean ?? null)}
            silent={item?.state === "silent"}
            onZoom={props.onZoom}
            onReady={props.onChart}
            onPoint={setOpened}
          />
        </div>
      )}
      {opened && (
        <ReadingsDialog
          id={props.id}
          unit={props.unit}
          from={opened.time}
          to={opened.time + line.bucketSeconds * 1000}
          onClose={() => {
            setOpened(null);
          }}
        />
      )}
    </section>
  );
}

/** Offers the shortest window in which there is something. */
function NoReadings(props: {
  id: string;
  window: WindowName;
  onWindow: (window: WindowName) => void;
}) {
  const { texts } = useSpeech();
  const format = useFormat();
  const names = useWindowNames();
  const wider = WINDOWS.slice(WINDOWS.indexOf(props.window) + 1);
  const next = wider[0] ?? "30d";
  const { item: month } = useAverageOf(props.id, "30d", false);
  const some = wider.length > 0 && month !== undefined && month.count > 0;
  const target = some && month.lastTimestamp ? shortest(wider, month.lastTimestamp) : next;
  return (
    <div className="all-gap">
      <div>
        <Nothing
          action={
            some && (
              <button
                className="link"
                onClick={() => {
                  props.onWindow(target);
                }}
              >
                {fill(texts.showWindow, { window: names[target] })}
                {target === "30d" &&
                  ` (${fill(texts.covered, { share: format.percent(month.coverage) })})`}
              </button>
            )
          }
        >
          {fill(texts.noReadingsIn, { window: names[props.window] })}
        </Nothing>
      </div>
    </div>
  );
}

const HOURS: Record<WindowName, number> = { "24h": 24, "48h": 48, "7d": 168, "30d": 720 };

function shortest(windows: readonly WindowName[], last: string): WindowName {
  const hours = (Date.now() - Date.parse(last)) / 3_600_000;
  return windows.find((name) => HOURS[name] > hours) ?? "30d";
}
