"use client";

import type { ECharts } from "echarts/core";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { Chart } from "@/components/chart/chart";
import { useKeys } from "@/components/keys";
import { useTheme } from "@/components/theme";
import { useFormat, useSpeech } from "@/i18n/language";
import { pointAt } from "@/lib/line";

import { compareOption, lanePlaces, LEFT, overlaySides, RIGHT, TITLE } from "./compare-option";
import { AXES_MAX, pushedApart, type Lane } from "./series-of";

interface Props {
  lanes: readonly Lane[];
  overlaid: boolean;
  start: number;
  end: number;
  zoom: { from: number; to: number } | null;
  cursor: number | null;
  onCursor: (time: number | null) => void;
  onZoom: (zoom: { from: number; to: number } | null) => void;
  onReady: (chart: ECharts | null) => void;
}

const APART = 15;
const DRAG_MIN = 8;

/** All lines over one axis of time, with one cursor through them. Dragging zooms every lane. */
export function CompareChart(props: Props) {
  const { lanes, start, end, zoom, cursor, onCursor, onZoom, onReady } = props;
  const { texts } = useSpeech();
  const format = useFormat();
  const { dark } = useTheme();
  const [chart, setChart] = useState<ECharts | null>(null);
  const [height, setHeight] = useState(640);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const [, setDrawn] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  const overlaid = props.overlaid && lanes.length <= AXES_MAX;
  const from = zoom?.from ?? start;
  const to = zoom?.to ?? end;
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setHeight(Math.floor(entry.contentRect.height));
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, []);
  const option = useMemo(
    () =>
      compareOption({
        lanes,
        overlaid,
        start,
        end,
        from,
        to,
        height,
        ticks: format.ticks(from, to, 7),
        tickText: format.tickText,
        value: format.tick,
        duration: format.duration,
      }),
    // Drawn anew in another theme.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [lanes, overlaid, start, end, from, to, height, format, dark],
  );
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
  const sides = overlaid ? overlaySides(lanes.length) : { left: LEFT, right: RIGHT };
  const timeAt = (clientX: number): number | null => {
    const box = frame.current?.getBoundingClientRect();
    if (!box) return null;
    const share = (clientX - box.left - sides.left) / (box.width - sides.left - sides.right);
    return share < 0 || share > 1 ? null : from + share * (to - from);
  };
  const width = frame.current?.clientWidth ?? 0;
  const xOf = (time: number) =>
    sides.left + ((time - from) / (to - from)) * (width - sides.left - sides.right);
  useKeys({
    "+": () => {
      zoomBy(0.5);
    },
    "=": () => {
      zoomBy(0.5);
    },
    "-": () => {
      zoomBy(2);
    },
    "0": () => {
      onZoom(null);
    },
  });
  const zoomBy = (share: number) => {
    const middle = cursor ?? (from + to) / 2;
    const half = Math.max(60_000, (to - from) * share) / 2;
    const first = Math.max(start, middle - half);
    const last = Math.min(end, middle + half);
    onZoom(first <= start && last >= end ? null : { from: first, to: last });
  };
  const places = lanePlaces({ lanes, height });
  const step = (to - from) / 200;
  return (
    <div
      ref={frame}
      className="compare-frame"
      role="application"
      tabIndex={0}
      aria-label={texts.compareHelp}
      onPointerDown={(event) => {
        const at = timeAt(event.clientX);
        if (at !== null && event.button === 0) setDrag({ from: at, to: at });
      }}
      onPointerMove={(event) => {
        const at = timeAt(event.clientX);
        onCursor(at);
        if (drag && at !== null) setDrag({ ...drag, to: at });
      }}
      onPointerLeave={() => {
        setDrag(null);
      }}
      onPointerUp={() => {
        if (drag && Math.abs(xOf(drag.to) - xOf(drag.from)) > DRAG_MIN)
          onZoom({ from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) });
        setDrag(null);
      }}
      onDoubleClick={() => {
        onZoom(null);
      }}
      onKeyDown={(event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        const next = (cursor ?? to) + by * step * (event.shiftKey ? 10 : 1);
        onCursor(Math.max(from, Math.min(to, next)));
      }}
    >
      <Chart label={texts.compare} option={option} onReady={ready} onDrawn={redrawn}>
        {!overlaid &&
          lanes.map((lane, index) => (
            <span
              key={lane.title + lane.unit}
              className="lane-title"
              style={{ top: (places[index]?.top ?? 0) - TITLE + 1 }}
            >
              <b>{lane.title}</b> <small>{lane.unit}</small>
            </span>
          ))}
        {chart && !chart.isDisposed() && (
          <Ends chart={chart} lanes={lanes} from={from} to={to} right={width - sides.right} />
        )}
        {cursor !== null && cursor >= from && cursor <= to && (
          <>
            <i className="compare-cursor" style={{ left: xOf(cursor) }} />
            <output className="compare-time" style={{ left: xOf(cursor) }}>
              {format.clock(cursor)}
            </output>
            {chart && !chart.isDisposed() && <Rings chart={chart} lanes={lanes} time={cursor} />}
          </>
        )}
        {drag && (
          <i
            className="drag"
            style={{
              left: Math.min(xOf(drag.from), xOf(drag.to)),
              width: Math.abs(xOf(drag.to) - xOf(drag.from)),
            }}
          />
        )}
      </Chart>
    </div>
  );
}

interface OverProps {
  chart: ECharts;
  lanes: readonly Lane[];
}

function yOf({ chart }: OverProps, lane: number, value: number): number | null {
  const at = chart.convertToPixel({ yAxisIndex: lane } as never, value as never) as unknown;
  return typeof at === "number" && Number.isFinite(at) ? at : null;
}

/** The letter at each line's right end, never one on another. */
function Ends(props: OverProps & { from: number; to: number; right: number }) {
  const marks = props.lanes.flatMap((lane, index) =>
    lane.members.flatMap((one) => {
      const last = one.points.findLast((point) => point.time <= props.to);
      const y = last ? yOf(props, index, last.mean) : null;
      return y === null ? [] : [{ one, y }];
    }),
  );
  const pushed = pushedApart(
    marks.map((mark) => mark.y),
    APART,
  );
  return marks.map(({ one }, index) => (
    <b
      key={one.letter}
      className="end-letter"
      aria-hidden="true"
      style={{ left: props.right + 8, top: pushed[index] ?? 0, color: `var(${one.colour})` }}
    >
      {one.letter}
    </b>
  ));
}

function Rings(props: OverProps & { time: number }) {
  return props.lanes.flatMap((lane, index) =>
    lane.members.map((one) => {
      const point = one.points[pointAt(one.points, props.time)];
      const inGap = one.gaps.some(
        (gap) =>
          Date.parse(gap.start) < props.time &&
          (gap.end === null || Date.parse(gap.end) > props.time),
      );
      if (!point || inGap || point.time > props.time) return null;
      const y = yOf(props, index, point.mean);
      const x = props.chart.convertToPixel({ xAxisIndex: 0 } as never, props.time as never);
      return (
        <i
          key={one.letter}
          className="ring"
          style={{ left: x as unknown as number, top: y ?? 0, borderColor: `var(${one.colour})` }}
        />
      );
    }),
  );
}
