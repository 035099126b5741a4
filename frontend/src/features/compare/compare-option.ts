import type { EChartsOption } from "echarts/types/dist/shared";

import { hatch, token } from "@/lib/colours";
import { runsOf, withBreaks } from "@/lib/line";
import { equalScale, niceScale } from "@/lib/scale";

import { AXES_MAX, laneShares, type Compared, type Lane } from "./series-of";

interface CompareInput {
  lanes: readonly Lane[];
  overlaid: boolean;
  start: number;
  end: number;
  from: number;
  to: number;
  height: number;
  ticks: number[];
  tickText: (instant: number) => { text: string; bold: boolean };
  value: (value: number) => string;
  duration: (seconds: number) => string;
}

export const LEFT = 44;
export const RIGHT = 34;
export const TITLE = 24;
const FOOT = 54;
const AXIS = 52;

interface LanePlace {
  top: number;
  height: number;
}

export function lanePlaces(input: Pick<CompareInput, "lanes" | "height">): LanePlace[] {
  const room = input.height - FOOT;
  let top = 0;
  return laneShares(input.lanes).map((share) => {
    const place = { top: top + TITLE, height: Math.max(30, room * share - TITLE - 10) };
    top += room * share;
    return place;
  });
}

function extremes(members: readonly Compared[], from: number, to: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const one of members) {
    for (const point of one.points) {
      if (point.time < from || point.time > to) continue;
      low = Math.min(low, point.mean);
      high = Math.max(high, point.mean);
    }
  }
  return Number.isFinite(low) ? [low, high] : [0, 1];
}

const edge = (sides: { left: number; right: number }) => ({
  left: sides.left,
  right: sides.right,
});

/** Lanes with one axis of time, or all in one with an axis for each unit, at most four. */
export function compareOption(input: CompareInput): EChartsOption {
  return input.overlaid && input.lanes.length <= AXES_MAX ? overlaid(input) : inLanes(input);
}

function timeAxis(input: CompareInput, gridIndex: number, labelled: boolean) {
  return {
    type: "time" as const,
    gridIndex,
    min: input.start,
    max: input.end,
    axisLine: { show: labelled, lineStyle: { color: token("--line2") } },
    axisTick: {
      show: labelled,
      customValues: input.ticks,
      lineStyle: { color: token("--line2") },
    },
    axisLabel: {
      show: labelled,
      customValues: input.ticks,
      hideOverlap: true,
      color: token("--t3"),
      formatter: (at: number) => {
        const { text, bold } = input.tickText(at);
        return bold ? `{day|${text}}` : text;
      },
      rich: { day: { color: token("--t1"), fontWeight: 600 as const, fontSize: 11 } },
    },
    splitLine: { show: false },
  };
}

function zoom(input: CompareInput, count: number): EChartsOption["dataZoom"] {
  const xAxisIndex = Array.from({ length: count }, (_, index) => index);
  return [
    {
      type: "inside",
      xAxisIndex,
      filterMode: "none",
      startValue: input.from,
      endValue: input.to,
      zoomOnMouseWheel: "ctrl",
      moveOnMouseMove: false,
      moveOnMouseWheel: false,
      preventDefaultMouseMove: false,
    },
  ];
}

function inLanes(input: CompareInput): EChartsOption {
  const places = lanePlaces(input);
  const sides = edge({ left: LEFT, right: RIGHT });
  return {
    grid: places.map((place) => ({ ...sides, top: place.top, height: place.height })),
    xAxis: input.lanes.map((_, index) => timeAxis(input, index, index === input.lanes.length - 1)),
    yAxis: input.lanes.map((lane, index) => {
      const parts = Math.max(2, Math.round((places[index]?.height ?? 80) / 34));
      const scale = niceScale(...extremes(lane.members, input.from, input.to), parts);
      return {
        type: "value" as const,
        gridIndex: index,
        min: scale.min,
        max: scale.max,
        interval: scale.step,
        axisLabel: { color: token("--t3"), formatter: input.value },
        splitLine: { lineStyle: { color: token("--line") } },
      };
    }),
    dataZoom: zoom(input, input.lanes.length),
    series: input.lanes.flatMap((lane, index) =>
      lane.members.map((one) => line(one, index, index, input)),
    ) as NonNullable<EChartsOption["series"]>,
  };
}

export function overlaySides(lanes: number): { left: number; right: number } {
  return {
    left: LEFT + (lanes > 1 ? AXIS : 0),
    right: RIGHT + Math.max(0, lanes - 2) * AXIS + (lanes > 2 ? 6 : 0),
  };
}

function overlaid(input: CompareInput): EChartsOption {
  const parts = 6;
  return {
    grid: [{ ...overlaySides(input.lanes.length), top: 30, bottom: FOOT }],
    xAxis: [timeAxis(input, 0, true)],
    yAxis: input.lanes.map((lane, index) => {
      const scale = equalScale(...extremes(lane.members, input.from, input.to), parts);
      return {
        type: "value" as const,
        gridIndex: 0,
        position: index < 2 ? ("left" as const) : ("right" as const),
        offset: index === 1 ? AXIS : index === 2 ? RIGHT - 6 : index === 3 ? RIGHT - 6 + AXIS : 0,
        name: lane.unit,
        nameLocation: "end" as const,
        nameTextStyle: { color: token("--t1"), fontWeight: 600 as const },
        min: scale.min,
        max: scale.max,
        interval: scale.step,
        axisLine: { show: true, lineStyle: { color: token("--line2") } },
        axisLabel: { color: token("--t3"), formatter: input.value },
        splitLine: { show: index === 0, lineStyle: { color: token("--line") } },
      };
    }),
    dataZoom: zoom(input, 1),
    series: input.lanes.flatMap((lane, index) =>
      lane.members.map((one) => line(one, 0, index, input)),
    ) as NonNullable<EChartsOption["series"]>,
  };
}

function line(one: Compared, xAxisIndex: number, yAxisIndex: number, input: CompareInput) {
  return {
    type: "line" as const,
    xAxisIndex,
    yAxisIndex,
    symbol: "none",
    silent: true,
    data: withBreaks(runsOf(one.points, one.gaps)).map(
      (point) => [point.time, "mean" in point ? point.mean : null] as [number, number | null],
    ),
    lineStyle: {
      color: token(one.colour),
      width: 1.6,
      type: one.dashed ? ([5, 3] as [number, number]) : ("solid" as const),
      join: "round" as const,
    },
    markArea: {
      silent: true,
      animation: false,
      data: one.gaps.map((gap) => [
        {
          xAxis: Math.max(input.start, Date.parse(gap.start)),
          itemStyle: {
            color: { image: hatch(token("--gap")), repeat: "repeat" },
            borderColor: token("--gap"),
            borderWidth: 1,
            borderType: [3, 3],
          },
          label: {
            show: shareOf(gap, input) > LETTERED,
            position: "insideTop",
            color: token("--gap"),
            backgroundColor: token("--bg1"),
            padding: [1, 3],
            fontSize: 11,
            fontWeight: 600,
            formatter:
              shareOf(gap, input) > TIMED
                ? `${one.letter} · ${input.duration(secondsOf(gap, input))}`
                : one.letter,
          },
        },
        { xAxis: gap.end === null ? input.end : Math.min(input.end, Date.parse(gap.end)) },
      ]),
    },
  };
}

const LETTERED = 0.02;
const TIMED = 0.1;

function secondsOf(gap: Compared["gaps"][number], input: CompareInput): number {
  return ((gap.end === null ? input.end : Date.parse(gap.end)) - Date.parse(gap.start)) / 1000;
}

function shareOf(gap: Compared["gaps"][number], input: CompareInput): number {
  return (secondsOf(gap, input) * 1000) / (input.to - input.from);
}
