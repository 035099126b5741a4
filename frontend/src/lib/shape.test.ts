import { describe, expect, it } from "vitest";

import type { AverageItem } from "@/api/types";

import { chosen, headline, histograms, matching, rampOf, sorted, valuesOf } from "./shape";

const NOW = Date.parse("2026-01-01T12:00:00Z");

const item = (equipmentId: string, more: Partial<AverageItem> = {}): AverageItem => ({
  equipmentId,
  name: null,
  kind: null,
  unit: null,
  location: null,
  source: null,
  mean: 1,
  timeWeightedMean: 1,
  coverage: 1,
  count: 10,
  expected: 10,
  longestGapSeconds: 0,
  min: 0,
  max: 2,
  lastTimestamp: "2026-01-01T11:59:00Z",
  lastValue: 1,
  state: "ok",
  ...more,
});
const ids = (items: readonly AverageItem[]) => items.map((one) => one.equipmentId);

describe("the table", () => {
  it("puts first what fell silent within the hour, then what is late, then what is missing most", () => {
    const items = [
      item("whole"),
      item("thin", { coverage: 0.4 }),
      item("late", { state: "late" }),
      item("silent-long", {
        state: "silent",
        coverage: 0.1,
        lastTimestamp: "2025-12-31T12:00:00Z",
      }),
      item("silent-now", { state: "silent", lastTimestamp: "2026-01-01T11:50:00Z" }),
    ];
    expect(ids(sorted(items, { key: "attention", descending: false }, NOW))).toEqual([
      "silent-now",
      "late",
      "silent-long",
      "thin",
      "whole",
    ]);
  });

  it("puts sensors without a value last in either direction", () => {
    const items = [item("B", { mean: 2 }), item("A", { mean: null }), item("C", { mean: 1 })];
    const order = (descending: boolean) => ids(sorted(items, { key: "mean", descending }, NOW));
    expect(order(false)).toEqual(["C", "B", "A"]);
    expect(order(true)).toEqual(["B", "C", "A"]);
  });

  it("finds by any text, whatever its case, and filters by state, kind and location", () => {
    const items = [
      item("A", { name: "Pump", kind: "Flow", location: "Power" }),
      item("B", { longestGapSeconds: 9 }),
    ];
    expect(ids(matching(items, "PUMP"))).toEqual(["A"]);
    expect(matching(items, " ")).toHaveLength(2);
    const all = { q: "", state: "", kind: "", location: "" } as const;
    expect(ids(chosen(items, { ...all, state: "gaps" }))).toEqual(["B"]);
    expect(ids(chosen(items, { ...all, kind: "Flow", location: "Power" }))).toEqual(["A"]);
    expect(chosen(items, { ...all, kind: "Flow", location: "Utilities" })).toEqual([]);
    expect(valuesOf(items, "kind")).toEqual([
      { value: "", count: 1 },
      { value: "Flow", count: 1 },
    ]);
  });
});

it("the headline counts states, gaps and readings, and means the coverage of those that have one", () => {
  const found = headline(
    [
      item("A", { coverage: 0.5, longestGapSeconds: 3 }),
      item("B", { coverage: null, state: "silent", lastTimestamp: "2026-01-01T11:30:00Z" }),
      item("C", { state: "late" }),
    ],
    NOW,
  );
  expect(found).toMatchObject({ total: 3, silent: 1, silentLastHour: 1, late: 1, reporting: 1 });
  expect(found).toMatchObject({ gaps: 1, readings: 30, coverage: 0.75 });
});

it("the ramp steps at 99.5, 95, 80 and 50 %", () => {
  expect([1, 0.995, 0.99, 0.95, 0.94, 0.8, 0.79, 0.5, 0.49].map(rampOf)).toEqual([
    0, 0, 1, 1, 2, 2, 3, 3, 4,
  ]);
  expect(rampOf(null)).toBe(0);
});

it("a histogram holds every mean once, also when all are the same", () => {
  const items = [0, 1, 2, 9].map((mean, index) => item(String(index), { mean, unit: "bar" }));
  const [found] = histograms(items, 3);
  expect(found?.bars.map((bar) => bar.items)).toEqual([3, 0, 1]);
  expect(histograms([item("A"), item("B")], 4)[0]?.bars[0]?.items).toBe(2);
  expect(histograms([item("A", { mean: null })], 4)).toEqual([]);
});
