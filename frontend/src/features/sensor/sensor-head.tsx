"use client";

import type { ECharts } from "echarts/core";
import Link from "next/link";

import type { AverageItem, SensorItem, SeriesPage, WindowName } from "@/api/types";
import { useLiveReading } from "@/api/use-live";
import { Icon } from "@/components/icons";
import { StateMark } from "@/components/marks";
import { WindowSwitch } from "@/components/window-switch";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import type { LinePoint } from "@/lib/line";
import { useNow } from "@/lib/now";

import { ExportMenu } from "./export-menu";

interface Props {
  id: string;
  item: AverageItem | undefined;
  sensor: SensorItem | undefined;
  window: WindowName;
  onWindow: (window: WindowName) => void;
  onCompare: () => void;
  chart: ECharts | null;
  points: readonly LinePoint[];
  page: SeriesPage | undefined;
}

export function SensorHead(props: Props) {
  const { id, item, sensor, page } = props;
  const { texts } = useSpeech();
  const format = useFormat();
  const now = useNow();
  const told = useLiveReading(id);
  const state = told?.state ?? item?.state ?? "new";
  const at = told?.timestamp ?? item?.lastTimestamp ?? null;
  const value = told?.value ?? item?.lastValue ?? null;
  const unit = sensor?.unit ?? item?.unit ?? null;
  const about = [sensor?.name, sensor?.location].filter(Boolean).join(" · ");
  const silence = at === null ? 0 : (now - Date.parse(at)) / 1000;
  return (
    <div className="sensor-head">
      <Link className="button icon-only" href="/sensors" aria-label={texts.sensors}>
        <Icon name="left" />
      </Link>
      <div className="name">
        <div className="row">
          <h1>{id}</h1>
          {item && (
            <span className="row condition">
              <StateMark state={state} />
              {at !== null &&
                `· ${state === "silent" ? fill(texts.silentFor, { time: format.duration(silence) }) : format.ago(at, now)}`}
            </span>
          )}
        </div>
        <p className="clip">{about}</p>
      </div>
      <p className={`now ${state === "silent" ? "stale" : ""}`}>
        <b>{format.number(value, decimalsOf(unit))}</b> <span className="unit">{unit}</span>
      </p>
      <WindowSwitch value={props.window} onChange={props.onWindow} />
      <button onClick={props.onCompare}>
        <Icon name="chart" /> {texts.compare}
      </button>
      <ExportMenu
        id={id}
        points={props.points}
        from={page ? Date.parse(page.start) : 0}
        to={page ? Date.parse(page.end) : 0}
        chart={props.chart}
      />
    </div>
  );
}
