"use client";

import { createColumnHelper, tableFeatures } from "@tanstack/react-table";

import type { AverageItem, WindowName } from "@/api/types";
import type { Format } from "@/i18n/language";
import type { Texts } from "@/i18n/en";
import { StateMark } from "@/components/marks";
import { RangeBar } from "@/components/range-bar";
import { decimalsOf } from "@/lib/format";
import { hasGaps, type SortKey } from "@/lib/shape";

import { Coverage, IdLink, LastSeen, LastValue, Line, Mean, RowRail } from "./cells";

export const features = tableFeatures({});
const helper = createColumnHelper<typeof features, AverageItem>();

export interface ColumnOptions {
  texts: Texts;
  format: Format;
  window: WindowName;
  month: ReadonlyMap<string, AverageItem>;
}

/** What each column is sorted by, and how it stands. */
export interface ColumnMeta {
  sort?: SortKey;
  className?: string;
}

export const META: Record<string, ColumnMeta> = {
  state: { sort: "state" },
  sensor: { sort: "equipmentId" },
  measures: { sort: "name", className: "c-measures" },
  line: { className: "c-line" },
  last: { sort: "lastValue", className: "num" },
  mean: { sort: "mean", className: "num" },
  weighted: { sort: "timeWeightedMean", className: "num c-weighted" },
  unit: { className: "c-unit" },
  min: { sort: "min", className: "num c-min" },
  range: { className: "c-range" },
  max: { sort: "max", className: "num c-max" },
  rail: { className: "c-rail" },
  coverage: { sort: "coverage", className: "num" },
  seen: { sort: "lastTimestamp", className: "num" },
};

export function columnsOf({ texts, format, window, month }: ColumnOptions) {
  const shown = (item: AverageItem, value: number | null) =>
    format.number(value, decimalsOf(item.unit));
  return helper.columns([
    helper.display({
      id: "state",
      header: texts.state,
      cell: ({ row: { original } }) => (
        <StateMark state={original.state} gaps={hasGaps(original)} />
      ),
    }),
    helper.display({
      id: "sensor",
      header: texts.sensor,
      cell: ({ row: { original } }) => <IdLink id={original.equipmentId} window={window} />,
    }),
    helper.display({
      id: "measures",
      header: texts.measures,
      cell: ({ row: { original } }) => original.name ?? original.kind ?? "–",
    }),
    helper.display({
      id: "line",
      header: texts.lastWindow[window],
      cell: ({ row: { original } }) => <Line item={original} window={window} />,
    }),
    helper.display({
      id: "last",
      header: texts.last,
      cell: ({ row: { original } }) => <LastValue item={original} />,
    }),
    helper.display({
      id: "mean",
      header: texts.mean,
      cell: ({ row: { original } }) => <Mean item={original} />,
    }),
    helper.display({
      id: "weighted",
      header: texts.timeWeightedMean,
      cell: ({ row: { original } }) => shown(original, original.timeWeightedMean),
    }),
    helper.display({ id: "unit", header: "", cell: ({ row: { original } }) => original.unit }),
    helper.display({
      id: "min",
      header: texts.min,
      cell: ({ row: { original } }) => shown(original, original.min),
    }),
    helper.display({
      id: "range",
      header: texts.rangeColumn,
      cell: ({ row: { original } }) => {
        const whole = month.get(original.equipmentId);
        return (
          <RangeBar
            low={whole?.min ?? null}
            high={whole?.max ?? null}
            min={original.min}
            max={original.max}
            mean={original.mean}
          />
        );
      },
    }),
    helper.display({
      id: "max",
      header: texts.max,
      cell: ({ row: { original } }) => shown(original, original.max),
    }),
    helper.display({
      id: "rail",
      header: "",
      cell: ({ row: { original } }) => <RowRail id={original.equipmentId} window={window} />,
    }),
    helper.display({
      id: "coverage",
      header: texts.coverage,
      cell: ({ row: { original } }) => <Coverage share={original.coverage} />,
    }),
    helper.display({
      id: "seen",
      header: texts.lastSeen,
      cell: ({ row: { original } }) => <LastSeen item={original} />,
    }),
  ]);
}
