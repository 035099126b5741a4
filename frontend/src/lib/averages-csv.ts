import type { AverageItem } from "@/api/types";

import { csv } from "./save";

const COLUMNS = [
  "equipmentId",
  "name",
  "kind",
  "unit",
  "location",
  "state",
  "mean",
  "timeWeightedMean",
  "count",
  "expected",
  "min",
  "max",
  "coverage",
  "longestGapSeconds",
  "lastTimestamp",
  "lastValue",
] as const;

/** The rows as they are shown: filtered and in this order. */
export function averagesCsv(items: readonly AverageItem[]): Blob {
  return csv(
    COLUMNS,
    items.map((item) => COLUMNS.map((column) => item[column])),
  );
}
