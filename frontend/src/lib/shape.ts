import type { AverageItem, Bucket, GapSpan, Forecast, SensorState } from "@/api/types";

export type SortKey =
  | "state"
  | "equipmentId"
  | "name"
  | "mean"
  | "unit"
  | "location"
  | "count"
  | "timeWeightedMean"
  | "coverage"
  | "min"
  | "max"
  | "lastValue"
  | "lastTimestamp";

export interface Sort {
  key: SortKey;
  descending: boolean;
}

const ATTENTION: Record<SensorState, number> = { silent: 0, late: 1, new: 2, ok: 3 };

export function matching(items: AverageItem[], search: string): AverageItem[] {
  const wanted = search.trim().toLowerCase();
  if (!wanted) return items;
  return items.filter((item) =>
    [item.equipmentId, item.name, item.kind, item.unit, item.location].some((text) =>
      text?.toLowerCase().includes(wanted),
    ),
  );
}

/** Rows without a value come last in either direction; equal ones by equipmentId. */
export function sorted(items: AverageItem[], sort: Sort): AverageItem[] {
  const value = (item: AverageItem) =>
    sort.key === "state" ? ATTENTION[item.state] : item[sort.key];
  const sign = sort.descending ? -1 : 1;
  return [...items].sort((a, b) => {
    const left = value(a);
    const right = value(b);
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    if (left === right) return a.equipmentId < b.equipmentId ? -1 : 1;
    return (left < right ? -1 : 1) * sign;
  });
}

/** The units that have a mean, the most frequent first; "" stands for none. */
export function unitsOf(items: AverageItem[]): string[] {
  const found = new Map<string, number>();
  for (const item of items) {
    const unit = item.unit ?? "";
    if (item.mean !== null) found.set(unit, (found.get(unit) ?? 0) + 1);
  }
  return [...found.keys()].sort(
    (a, b) => (found.get(b) ?? 0) - (found.get(a) ?? 0) || (a < b ? -1 : 1),
  );
}

export interface LinePoint {
  time: number;
  mean: number | null;
  min: number | null;
  max: number | null;
  count: number;
}

/** A line is never joined across a hole: a null stands where three buckets or more are missing. */
export function linePoints(buckets: Bucket[], bucketSeconds: number): LinePoint[] {
  const steps = buckets
    .map((bucket, index) => {
      const before = buckets[index - 1];
      return before ? Date.parse(bucket.start) - Date.parse(before.start) : 0;
    })
    .filter((step) => step > 0)
    .sort((a, b) => a - b);
  const usual = Math.max(bucketSeconds * 1000, steps[Math.floor(steps.length / 2)] ?? 0);
  const points: LinePoint[] = [];
  let previous: number | null = null;
  for (const bucket of buckets) {
    const time = Date.parse(bucket.start);
    if (previous !== null && time - previous > usual * 3)
      points.push({ time: previous + usual, mean: null, min: null, max: null, count: 0 });
    points.push({
      time,
      mean: bucket.mean,
      min: bucket.min,
      max: bucket.max,
      count: bucket.count,
    });
    previous = time;
  }
  return points;
}

/** "EQ-1 (× 1000), EQ-2 (+3 h), …": the first five sensors of a suspicion. */
export function suspects(suspicion: Forecast["suspicions"][number]): string {
  const told = suspicion.items.slice(0, 5).map((item) => {
    if (item.shiftHours !== null)
      return `${item.equipmentId} (${item.shiftHours > 0 ? "+" : "−"}${String(Math.abs(item.shiftHours))} h)`;
    if (item.factor !== null)
      return `${item.equipmentId} (× ${String(Number(item.factor.toPrecision(3)))})`;
    return item.equipmentId;
  });
  return told.join(", ") + (suspicion.sensors > told.length ? ", …" : "");
}

/** What is missing, cut to the window: pairs of edges on the axis of time. */
export function gapAreas(
  gaps: GapSpan[],
  start: string,
  end: string,
): [{ xAxis: number }, { xAxis: number }][] {
  const [first, last] = [Date.parse(start), Date.parse(end)];
  return gaps.map((gap) => [
    { xAxis: Math.max(first, Date.parse(gap.start)) },
    { xAxis: gap.end === null ? last : Math.min(last, Date.parse(gap.end)) },
  ]);
}
