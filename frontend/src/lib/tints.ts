import type { AverageItem } from "@/api/types";

import { rampOf } from "./shape";

export const COLOUR_BY = ["coverage", "seen", "deviation"] as const;
export type ColourBy = (typeof COLOUR_BY)[number];
type Step = 0 | 1 | 2 | 3 | 4;

/** Bounds of the steps, of what each colouring measures; below the first is quiet. */
export const SEEN_STEPS_S = [60, 900, 3_600, 21_600];
export const DEVIATION_STEPS = [0.05, 0.1, 0.2, 0.35];

function stepOf(value: number, bounds: readonly number[]): Step {
  return bounds.filter((bound) => value >= bound).length as Step;
}

/** How far the window's mean lies from the month's, as a share of the month's range. */
export function deviation(item: AverageItem, month: AverageItem | undefined): number | null {
  if (item.mean === null || !month || month.mean === null) return null;
  const range = (month.max ?? 0) - (month.min ?? 0);
  return range > 0 ? Math.abs(item.mean - month.mean) / range : 0;
}

export type Tint = Step | "silent" | "new";

export function tintsOf(
  items: readonly AverageItem[],
  by: ColourBy,
  month: ReadonlyMap<string, AverageItem>,
  asOf: number,
): Map<string, Tint> {
  const tint = (item: AverageItem): Tint => {
    if (item.state === "silent") return "silent";
    if (item.lastTimestamp === null) return "new";
    if (by === "seen") return stepOf((asOf - Date.parse(item.lastTimestamp)) / 1000, SEEN_STEPS_S);
    if (by === "deviation")
      return stepOf(deviation(item, month.get(item.equipmentId)) ?? 0, DEVIATION_STEPS);
    return rampOf(item.coverage);
  };
  return new Map(items.map((item) => [item.equipmentId, tint(item)]));
}
