"use client";

import type { ECharts } from "echarts/core";
import Link from "next/link";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import type { GapItem, GapSpan } from "@/api/types";
import { Chart } from "@/components/chart/chart";
import { useKeys } from "@/components/keys";
import { useTheme } from "@/components/theme";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import { importedRuns, pointAt, type LinePoint } from "@/lib/line";

import { LineCursor, type CursorAt } from "./line-cursor";
import { lineOption } from "./line-option";
import { usePlainClick } from "./use-plain-click";
import { useImportIds } from "./use-sensor";

export interface Zoom {
  from: number;
  to: number;
}

interface Props {
  id: string;
  unit: string | null;
  points: readonly LinePoint[];
  overall: readonly LinePoint[];
  gaps: readonly GapSpan[];
  ledger: readonly GapItem[];
  start: number;
  end: number;
  zoom: Zoom | null;
  bucketMs: number;
  mean: number | null;
  silent: boolean;
  onZoom: (zoom: Zoom | null) => void;
  onReady: (chart: ECharts | null) => void;
  onPoint: (point: LinePoint) => void;
}

interface Instant {
  time: number;
  focused: boolean;
}

const ZOOM_MIN_MS = 60_000;

export function LineChart(props: Props) {
  const { points, overall, gaps, start, end, zoom, bucketMs, mean, silent, onZoom, onReady } =
    props;
  const { texts } = useSpeech();
  const format = useFormat();
  const { dark } = useTheme();
  const [chart, setChart] = useState<ECharts | null>(null);
  // An instant, not a place: a key that is pressed before the line is drawn is kept until it is.
  const [at, setAt] = useState<Instant | null>(null);
  const [drawn, setDrawn] = useState(0);
  const [narrow, setNarrow] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const decimals = decimalsOf(props.unit);
  const from = zoom?.from ?? start;
  const to = zoom?.to ?? end;
  useEffect(() => {
    const look = () => {
      setNarrow(innerWidth < 768);
    };
    look();
    addEventListener("resize", look);
    return () => {
      removeEventListener("resize", look);
    };
  }, []);
  const option = useMemo(() => {
    const most = narrow ? 4 : 9;
    return lineOption({
      points,
      overall,
      gaps,
      start,
      end,
      from,
      to,
      bucketMs,
      mean,
      silent,
      narrow,
      ticks: format.ticks(from, to, most),
      stripTicks: format.ticks(start, end, most - 2),
      tickText: format.tickText,
      tick: format.tick,
      meanText: narrow
        ? format.number(mean, decimals)
        : `${texts.mean.toLowerCase()}\n${format.number(mean, 2)}`,
      gapLabel: (seconds, long) =>
        long ? fill(texts.gapOf, { time: format.duration(seconds) }) : format.duration(seconds),
    });
    // Drawn anew in another theme: the colours are read from the page.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [
    points,
    overall,
    gaps,
    start,
    end,
    from,
    to,
    bucketMs,
    mean,
    silent,
    narrow,
    format,
    texts,
    decimals,
    dark,
  ]);

  const ready = useCallback(
    (made: ECharts | null) => {
      setChart(made);
      onReady(made);
    },
    [onReady],
  );
  const redrawn = useCallback(() => {
    setDrawn((count) => count + 1);
  }, []);
  const zoomed = useCallback(
    (first: number, last: number) => {
      const whole = first <= start + bucketMs && last >= end - bucketMs;
      onZoom(whole ? null : { from: first, to: last });
    },
    [start, end, bucketMs, onZoom],
  );
  const cursor =
    at && chart && drawn > 0 && at.time >= from && at.time <= to
      ? cursorAt(chart, at, { points, gaps, bucketMs })
      : null;
  useEffect(() => {
    if (!chart) return;
    const pen = chart.getZr();
    const move = (event: { offsetX: number; offsetY: number }) => {
      const inside = chart.containPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY]);
      if (!inside) {
        setAt(null);
        return;
      }
      const [time] = chart.convertFromPixel(
        { xAxisIndex: 0, yAxisIndex: 0 } as never,
        [event.offsetX, event.offsetY] as never,
      ) as unknown as [number, number];
      setAt({ time, focused: false });
    };
    const leave = () => {
      setAt(null);
    };
    const whole = () => {
      onZoom(null);
    };
    pen.on("mousemove", move);
    pen.on("globalout", leave);
    pen.on("dblclick", whole);
    return () => {
      pen.off("mousemove", move);
      pen.off("globalout", leave);
      pen.off("dblclick", whole);
    };
  }, [chart, onZoom]);

  const near = (share: number) => {
    const middle = at?.time ?? (from + to) / 2;
    const half = Math.max(ZOOM_MIN_MS, (to - from) * share) / 2;
    const first = Math.max(start, middle - half);
    const last = Math.min(end, middle + half);
    onZoom(first <= start && last >= end ? null : { from: first, to: last });
  };
  const toGap = (by: 1 | -1) => {
    const sorted = [...gaps].sort((a, b) => (a.start < b.start ? -1 : 1));
    const now = at?.time ?? (by > 0 ? -Infinity : Infinity);
    const next =
      by > 0
        ? sorted.find((gap) => Date.parse(gap.start) > now)
        : sorted.findLast((gap) => (gap.end === null ? end : Date.parse(gap.end)) < now);
    if (!next) return;
    frame.current?.focus();
    const last = next.end === null ? end : Date.parse(next.end);
    setAt({ time: (Date.parse(next.start) + last) / 2, focused: true });
  };
  useKeys({
    "+": () => {
      near(0.5);
    },
    "=": () => {
      near(0.5);
    },
    "-": () => {
      near(2);
    },
    "0": () => {
      onZoom(null);
    },
    "[": () => {
      toGap(-1);
    },
    "]": () => {
      toGap(1);
    },
  });
  const open = () => {
    const point = cursor && !cursor.gap ? points[cursor.index] : undefined;
    if (point) props.onPoint(point);
  };
  const click = usePlainClick(open);
  const stretches = useMemo(() => importedRuns(points, bucketMs), [points, bucketMs]);
  const imports = useImportIds(props.id, stretches);
  return (
    <div
      ref={frame}
      className="line-frame"
      role="application"
      tabIndex={0}
      aria-label={fill(texts.chartHelp, { name: props.id })}
      aria-busy={drawn === 0}
      {...click}
      onKeyDown={(event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (event.key === "Escape") setAt(null);
        if (event.key === "Enter" && event.target === event.currentTarget) {
          // Else the same key presses the first button of what opens.
          event.preventDefault();
          open();
        }
        if (by === undefined) return;
        event.preventDefault();
        const index = at
          ? pointAt(points, at.time) + by * (event.shiftKey ? 10 : 1)
          : points.length - 1;
        const point = points[Math.max(0, Math.min(points.length - 1, index))];
        if (point) setAt({ time: point.time + bucketMs / 2, focused: true });
      }}
      onBlur={() => {
        setAt(null);
      }}
    >
      <Chart
        label={`${props.id}, ${texts.meanLine} ${props.unit ?? ""}`}
        option={option}
        onReady={ready}
        onDrawn={redrawn}
        onZoom={zoomed}
      >
        {props.unit && <span className="axis-unit">{props.unit}</span>}
        {chart && (
          <ImportLabels key={drawn} chart={chart} runs={imports.data ?? []} from={from} to={to} />
        )}
        {cursor && (
          <LineCursor
            at={cursor}
            point={points[cursor.index]}
            bucketMs={bucketMs}
            unit={props.unit}
            ledger={props.ledger}
            end={end}
          />
        )}
      </Chart>
    </div>
  );
}

/** Where an instant stands on the drawn line, and what is there: its point, or a gap. */
function cursorAt(
  chart: ECharts,
  at: Instant,
  { points, gaps, bucketMs }: Pick<Props, "points" | "gaps" | "bucketMs">,
): CursorAt | null {
  if (chart.isDisposed()) return null;
  const gap =
    gaps.find(
      (one) =>
        at.time > Date.parse(one.start) && (one.end === null || at.time < Date.parse(one.end)),
    ) ?? null;
  const index = pointAt(points, at.time);
  const point = points[index];
  const time = gap ? at.time : (point?.time ?? at.time) + bucketMs / 2;
  const [x, y] = chart.convertToPixel(
    { xAxisIndex: 0, yAxisIndex: 0 } as never,
    [time, point?.mean ?? 0] as never,
  ) as unknown as [number, number];
  return { x, y: gap ? null : y, index, gap, focused: at.focused };
}

/** The import's number on the bar that it left on the floor, where there is room for it. */
function ImportLabels(props: {
  chart: ECharts;
  runs: readonly { from: number; to: number; importId: string | null }[];
  from: number;
  to: number;
}) {
  const { texts } = useSpeech();
  if (props.chart.isDisposed()) return null;
  const x = (time: number) =>
    props.chart.convertToPixel({ xAxisIndex: 0 }, time) as unknown as number;
  return props.runs
    .filter((run) => run.importId !== null && run.to > props.from && run.from < props.to)
    .map((run) => (
      <Link
        key={run.from}
        className="import-label"
        href={`/imports?id=${run.importId ?? ""}`}
        style={{ left: x(Math.max(run.from, props.from)) }}
      >
        {texts.imported} · IMP-{(run.importId ?? "").padStart(4, "0")}
      </Link>
    ));
}
