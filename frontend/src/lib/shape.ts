import type { AverageItem, SensorState } from "@/api/types";

export const SORTS = [
  "attention",
  "equipmentId",
  "name",
  "state",
  "location",
  "lastValue",
  "mean",
  "timeWeightedMean",
  "min",
  "max",
  "coverage",
  "lastTimestamp",
] as const;
export type SortKey = (typeof SORTS)[number];

export interface Sort {
  key: SortKey;
  descending: boolean;
}

export interface Filter {
  q: string;
  state: SensorState | "gaps" | "";
  kind: string;
  location: string;
}

const HOUR_MS = 3_600_000;
const SEVERITY: Record<SensorState, number> = { silent: 0, late: 1, new: 2, ok: 3 };

export const hasGaps = (item: AverageItem) => (item.longestGapSeconds ?? 0) > 0;

export function matching<T extends AverageItem>(items: readonly T[], search: string): T[] {
  const wanted = search.trim().toLowerCase();
  if (!wanted) return [...items];
  return items.filter((item) =>
    [item.equipmentId, item.name, item.kind, item.unit, item.location].some((text) =>
      text?.toLowerCase().includes(wanted),
    ),
  );
}

export function chosen(items: readonly AverageItem[], filter: Filter): AverageItem[] {
  return matching(items, filter.q).filter(
    (item) =>
      (filter.state === "" ||
        (filter.state === "gaps" ? hasGaps(item) : item.state === filter.state)) &&
      (filter.kind === "" || (item.kind ?? "") === filter.kind) &&
      (filter.location === "" || (item.location ?? "") === filter.location),
  );
}

/** What fell silent within the hour, what is late, then by what is missing most. */
function attention(item: AverageItem, now: number): number {
  const age = item.lastTimestamp === null ? Infinity : now - Date.parse(item.lastTimestamp);
  if (item.state === "silent" && age < HOUR_MS) return -2 - 1 / (1 + age);
  if (item.state === "late") return -1;
  return item.coverage ?? (item.state === "silent" ? 0 : 1);
}

/** Rows without a value come last in either direction; equal ones by equipmentId. */
export function sorted(items: readonly AverageItem[], sort: Sort, now: number): AverageItem[] {
  const value = (item: AverageItem): string | number | null => {
    if (sort.key === "attention") return attention(item, now);
    if (sort.key === "state") return SEVERITY[item.state];
    return item[sort.key];
  };
  const sign = sort.descending ? -1 : 1;
  const keyed = items.map((item) => ({ item, key: value(item) }));
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) {
      if (a.key !== b.key) return Number(a.key === null) - Number(b.key === null);
    } else if (a.key !== b.key) return (a.key < b.key ? -1 : 1) * sign;
    return a.item.equipmentId < b.item.equipmentId ? -1 : 1;
  });
  return keyed.map((one) => one.item);
}

/** The values of a field, the most frequent first; "" stands for none. */
export function valuesOf(
  items: readonly AverageItem[],
  field: "kind" | "location" | "unit",
): { value: string; count: number }[] {
  const found = new Map<string, number>();
  for (const item of items) {
    const value = item[field] ?? "";
    found.set(value, (found.get(value) ?? 0) + 1);
  }
  return [...found]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
}

export interface Headline {
  total: number;
  silent: number;
  silentLastHour: number;
  late: number;
  gaps: number;
  reporting: number;
  readings: number;
  coverage: number | null;
}

export function headline(items: readonly AverageItem[], now: number): Headline {
  const found: Headline = {
    total: items.length,
    silent: 0,
    silentLastHour: 0,
    late: 0,
    gaps: 0,
    reporting: 0,
    readings: 0,
    coverage: null,
  };
  let covered = 0;
  let known = 0;
  for (const item of items) {
    found.readings += item.count;
    if (item.state === "silent") {
      found.silent += 1;
      if (item.lastTimestamp !== null && now - Date.parse(item.lastTimestamp) < HOUR_MS)
        found.silentLastHour += 1;
    }
    if (item.state === "late") found.late += 1;
    if (item.state === "ok") found.reporting += 1;
    if (hasGaps(item)) found.gaps += 1;
    if (item.coverage !== null) {
      covered += item.coverage;
      known += 1;
    }
  }
  if (known) found.coverage = covered / known;
  return found;
}

/** Mean coverage of a group, of those that have one. */
export function meanCoverage(items: readonly AverageItem[]): number | null {
  const known = items.filter((item) => item.coverage !== null);
  if (known.length === 0) return null;
  return known.reduce((sum, item) => sum + (item.coverage ?? 0), 0) / known.length;
}

/** Which of the five steps of the ramp: 0 is whole, 4 is mostly missing. */
export function rampOf(coverage: number | null): 0 | 1 | 2 | 3 | 4 {
  if (coverage === null || coverage >= 0.995) return 0;
  if (coverage >= 0.95) return 1;
  if (coverage >= 0.8) return 2;
  return coverage >= 0.5 ? 3 : 4;
}

export interface Histogram {
  unit: string;
  kind: string;
  bars: { from: number; to: number; items: number }[];
  low: number;
  high: number;
  count: number;
}

/** How the means of each kind are spread: equal steps between the lowest and the highest. */
export function histograms(items: readonly AverageItem[], bars: number): Histogram[] {
  const groups = new Map<string, AverageItem[]>();
  for (const item of items) {
    if (item.mean === null) continue;
    const key = `${item.kind ?? ""}\0${item.unit ?? ""}`;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups]
    .map(([key, group]) => {
      const [kind = "", unit = ""] = key.split("\0");
      const means = group.map((item) => item.mean ?? 0);
      const low = means.reduce((a, b) => Math.min(a, b));
      const high = means.reduce((a, b) => Math.max(a, b));
      const width = (high - low || 1) / bars;
      const found = Array.from({ length: bars }, (_, index) => ({
        from: low + index * width,
        to: low + (index + 1) * width,
        items: 0,
      }));
      for (const mean of means) {
        const bar = found[Math.min(bars - 1, Math.floor((mean - low) / width))];
        if (bar) bar.items += 1;
      }
      return { unit, kind, bars: found, low, high, count: means.length };
    })
    .sort((a, b) => b.count - a.count);
}
