import type { EChartsOption, LineSeriesOption } from "echarts/types/dist/shared";

import type { GapSpan } from "@/api/types";
import { hatch, token } from "@/lib/colours";
import { importedRuns, runsOf, withBreaks, type LinePoint } from "@/lib/line";
import { niceScale } from "@/lib/scale";

interface LineInput {
  points: readonly LinePoint[];
  /** Of the whole window, for the strip under the chart. */
  overall: readonly LinePoint[];
  gaps: readonly GapSpan[];
  start: number;
  end: number;
  from: number;
  to: number;
  bucketMs: number;
  mean: number | null;
  meanText: string;
  silent: boolean;
  narrow: boolean;
  ticks: number[];
  stripTicks: number[];
  tickText: (instant: number) => { text: string; bold: boolean };
  tick: (value: number) => string;
  gapLabel: (seconds: number, long: boolean) => string;
}

const LONG_GAP_S = 90 * 60;
const PLOT = { left: 46, right: 58, top: 32 };
const NARROW_PLOT = { left: 6, right: 46, top: 16 };

/** Line, band, hatched gaps, imported readings, the window's mean; below it the whole window. */
export function lineOption(input: LineInput): EChartsOption {
  const { narrow, start, end } = input;
  const strip = narrow ? 28 : 48;
  const plot = narrow ? NARROW_PLOT : PLOT;
  const seen = input.points.filter((one) => one.time >= input.from && one.time <= input.to);
  const shown = seen.length > 0 ? seen : input.points;
  const low = shown.reduce((a, one) => Math.min(a, one.min), Infinity);
  const high = shown.reduce((a, one) => Math.max(a, one.max), -Infinity);
  const scale = Number.isFinite(low) ? niceScale(low, high, narrow ? 4 : 8) : undefined;
  const axis = token("--t3");
  const labels = (ticks: number[]) => ({
    customValues: ticks,
    color: axis,
    hideOverlap: true,
    formatter: (at: number) => {
      const { text, bold } = input.tickText(at);
      return bold ? `{day|${text}}` : text;
    },
    rich: { day: { color: token("--t1"), fontWeight: 600 as const, fontSize: 11 } },
  });
  const line = { show: true, lineStyle: { color: token("--line2") } };
  const grid = { left: plot.left, right: plot.right };
  return {
    grid: [
      { ...grid, top: plot.top, bottom: strip + (narrow ? 48 : 62) },
      { ...grid, height: strip, bottom: narrow ? 4 : 22 },
    ],
    xAxis: [
      {
        type: "time",
        gridIndex: 0,
        min: start,
        max: end,
        axisLine: line,
        axisTick: { show: true, customValues: input.ticks, lineStyle: { color: token("--line2") } },
        axisLabel: labels(input.ticks),
        splitLine: { show: false },
      },
      {
        type: "time",
        gridIndex: 1,
        min: start,
        max: end,
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { ...labels(input.stripTicks), show: !narrow },
        splitLine: { show: false },
      },
    ],
    yAxis: [
      {
        type: "value",
        gridIndex: 0,
        position: narrow ? "right" : "left",
        min: scale?.min,
        max: scale?.max,
        interval: scale?.step,
        axisLabel: { color: axis, formatter: input.tick },
        splitLine: { lineStyle: { color: token("--line") } },
      },
      { type: "value", gridIndex: 1, show: false, scale: true, min: "dataMin", max: "dataMax" },
    ],
    dataZoom: [
      {
        type: "slider",
        xAxisIndex: 0,
        filterMode: "none",
        startValue: input.from,
        endValue: input.to,
        left: plot.left,
        right: plot.right,
        height: strip,
        bottom: narrow ? 4 : 22,
        backgroundColor: "transparent",
        borderColor: token("--line"),
        fillerColor: `${token("--acc")}1f`,
        showDataShadow: false,
        showDetail: false,
        brushSelect: true,
        brushStyle: { color: `${token("--acc")}33` },
        moveHandleSize: 0,
        handleSize: "60%",
        handleIcon: "path://M0 0h6v24H0z",
        handleStyle: { color: token("--bg1"), borderColor: token("--acc"), borderWidth: 1.5 },
        emphasis: { handleStyle: { borderColor: token("--acc") } },
      },
      {
        type: "inside",
        xAxisIndex: 0,
        filterMode: "none",
        zoomOnMouseWheel: "ctrl",
        moveOnMouseMove: true,
        moveOnMouseWheel: false,
        preventDefaultMouseMove: false,
      },
    ],
    series: seriesOf(input, scale?.min ?? 0),
  };
}

function seriesOf(input: LineInput, floor: number): NonNullable<EChartsOption["series"]> {
  const runs = runsOf(input.points, input.gaps);
  const whole = withBreaks(runs);
  const data = (value: (point: LinePoint) => number) =>
    whole.map((one) => [one.time, "mean" in one ? value(one) : null] as [number, number | null]);
  const bare: Partial<LineSeriesOption> = { symbol: "none", silent: true, animation: false };
  const accent = token("--acc");
  const imported = input.points.filter((one) => one.imported > 0);
  const dots = imported.filter((_, index) => index % 6 === 0);
  const floors = importedRuns(input.points, input.bucketMs);
  return [
    {
      ...bare,
      type: "line",
      stack: "band",
      stackStrategy: "all",
      data: data((one) => one.min),
      lineStyle: { opacity: 0 },
    },
    {
      ...bare,
      type: "line",
      stack: "band",
      stackStrategy: "all",
      data: data((one) => one.max - one.min),
      lineStyle: { opacity: 0 },
      areaStyle: { color: token("--band"), opacity: 1 },
      markArea: gapMarks(input),
    },
    {
      ...bare,
      type: "line",
      data: data((one) => one.mean),
      lineStyle: { color: accent, width: input.narrow ? 1.5 : 1.75, join: "round" },
      z: 4,
      ...(input.mean === null
        ? {}
        : {
            markLine: {
              symbol: "none",
              silent: true,
              animation: false,
              data: [{ yAxis: input.mean }],
              lineStyle: { color: token("--t2"), type: [1, 4], width: 1 },
              label: {
                position: "end",
                color: token("--t1"),
                fontWeight: input.narrow ? 600 : 400,
                // It may lie on a number of the axis, and is the one to be read.
                backgroundColor: token("--bg1"),
                padding: [2, 3],
                lineHeight: 15,
                formatter: input.meanText,
              },
            },
          }),
    },
    {
      type: "scatter",
      data: dots.map((one) => [one.time, one.mean]),
      symbolSize: 6,
      itemStyle: { color: token("--bg1"), borderColor: accent, borderWidth: 1.5 },
      silent: true,
      z: 5,
      markArea: {
        silent: true,
        animation: false,
        itemStyle: { color: "transparent", borderColor: token("--t2"), borderWidth: 1 },
        data: floors.map(({ from, to }) => [
          { xAxis: from, yAxis: floor, itemStyle: { borderType: "solid" } },
          { xAxis: to, yAxis: floor + floorHeight(input) },
        ]),
      },
    },
    {
      ...bare,
      type: "line",
      xAxisIndex: 1,
      yAxisIndex: 1,
      data: withBreaks(runsOf(input.overall, input.gaps)).map(
        (one) => [one.time, "mean" in one ? one.mean : null] as [number, number | null],
      ),
      lineStyle: { color: token("--spark"), width: 1 },
      markArea: {
        silent: true,
        animation: false,
        data: input.gaps.map((gap) => [
          { xAxis: Date.parse(gap.start), itemStyle: { color: `${token("--gap")}42` } },
          { xAxis: gap.end === null ? input.end : Date.parse(gap.end) },
        ]),
      },
    },
  ] as NonNullable<EChartsOption["series"]>;
}

/** The hollow bar on the floor is a fiftieth of the plot high. */
function floorHeight(input: LineInput): number {
  const low = input.points.reduce((a, one) => Math.min(a, one.min), Infinity);
  const high = input.points.reduce((a, one) => Math.max(a, one.max), -Infinity);
  return (high - low || 1) / 50;
}

function gapMarks(input: LineInput): LineSeriesOption["markArea"] {
  return {
    silent: true,
    animation: false,
    z: 3,
    data: input.gaps.map((gap) => {
      const from = Math.max(input.start, Date.parse(gap.start));
      const to = gap.end === null ? input.end : Math.min(input.end, Date.parse(gap.end));
      const open = gap.end === null && input.silent;
      const colour = token(open ? "--sil" : "--gap");
      const seconds = (to - from) / 1000;
      const wide = (to - from) / (input.to - input.from) > 0.035;
      return [
        {
          xAxis: from,
          itemStyle: {
            color: { image: hatch(colour), repeat: "repeat" },
            borderColor: colour,
            borderWidth: 1,
            borderType: [3, 3],
          },
          label: {
            show: wide,
            position: "insideTop",
            distance: 6,
            color: colour,
            fontWeight: 600,
            fontSize: 11,
            backgroundColor: token("--bg1"),
            padding: [2, 4],
            formatter: input.gapLabel(seconds, !input.narrow && seconds >= LONG_GAP_S),
          },
        },
        { xAxis: to },
      ];
    }) as NonNullable<LineSeriesOption["markArea"]>["data"],
  };
}
