import { describe, expect, it } from "vitest";

import type { AverageItem, Bucket } from "@/api/types";

import { age, bytes, number, tick } from "./format";
import { gapAreas, linePoints, matching, sorted, suspects, unitsOf } from "./shape";

const item = (
  equipmentId: string,
  mean: number | null,
  name: string | null = null,
): AverageItem => ({
  equipmentId,
  name,
  kind: null,
  unit: null,
  location: null,
  mean,
  timeWeightedMean: mean,
  coverage: null,
  count: mean === null ? 0 : 1,
  min: mean,
  max: mean,
  lastTimestamp: null,
  lastValue: null,
  state: mean === null ? "silent" : "ok",
});

describe("gaps", () => {
  it("are cut to the window, and one that goes on reaches its end", () => {
    const areas = gapAreas(
      [
        { start: "2026-01-01T00:00:00Z", end: "2026-01-01T02:00:00Z" },
        { start: "2026-01-01T03:00:00Z", end: null },
      ],
      "2026-01-01T01:00:00Z",
      "2026-01-01T04:00:00Z",
    );
    const hours = areas.map((area) => area.map((edge) => new Date(edge.xAxis).getUTCHours()));
    expect(hours).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });
});

describe("the table", () => {
  const items = [item("B", 2), item("A", null, "Pump"), item("C", 1)];

  it("puts sensors without a value last in either direction", () => {
    const order = (descending: boolean) =>
      sorted(items, { key: "mean", descending }).map((one) => one.equipmentId);
    expect(order(false)).toEqual(["C", "B", "A"]);
    expect(order(true)).toEqual(["B", "C", "A"]);
  });

  it("puts what needs attention first when sorted by state", () => {
    expect(sorted(items, { key: "state", descending: false })[0]?.equipmentId).toBe("A");
  });

  it("offers the units that have means, the most frequent first", () => {
    const bar = (one: AverageItem) => ({ ...one, unit: "bar" });
    expect(unitsOf([...items, bar(item("D", 1))])).toEqual(["", "bar"]);
    expect(unitsOf([bar(item("D", null))])).toEqual([]);
  });

  it("finds by any text, whatever its case", () => {
    expect(matching(items, "PUMP").map((one) => one.equipmentId)).toEqual(["A"]);
    expect(matching(items, " ")).toHaveLength(3);
  });
});

describe("the line", () => {
  it("is broken where readings are missing", () => {
    const bucket = (minute: number): Bucket => ({
      start: new Date(minute * 60_000).toISOString(),
      mean: 1,
      min: 0,
      max: 2,
      count: 3,
      imported: 0,
    });
    const points = linePoints([0, 1, 2, 9, 10].map(bucket), 60);
    expect(points.map((point) => point.mean)).toEqual([1, 1, 1, null, 1, 1]);
    expect(linePoints([], 60)).toEqual([]);
  });
});

describe("formats", () => {
  it("follow the language", () => {
    expect(number(1016.8, "en")).toBe("1,016.80");
    expect(number(-1016.8, "pt-BR")).toBe("−1.016,80");
    expect(number(null, "en")).toBe("–");
    expect(number(1.7e308, "en")).toBe("1.700e+308");
  });

  it("give the ticks of an axis no decimals for show", () => {
    expect([-1000, 0.25].map((value) => tick(value, "pt-BR"))).toEqual(["−1.000", "0,25"]);
  });

  it("tell ages in the largest unit that fits", () => {
    const now = Date.parse("2026-01-01T12:00:00Z");
    expect(age("2026-01-01T11:53:00Z", now)).toBe("7 min");
    expect(age(null, now)).toBe("–");
  });

  it("tell sizes", () => {
    expect(bytes(1_500_000, "en")).toBe("1.5 MB");
    expect(bytes(12, "en")).toBe("12 B");
  });
});

it("suspects are named with what is suspected, and cut off", () => {
  const item = { equipmentId: "EQ-1", factor: null, shiftHours: null };
  const suspicion = { kind: "unit_jump" as const, sensors: 7, readings: 9, importId: null };
  expect(
    suspects({
      ...suspicion,
      items: [item, { ...item, factor: 1000.4 }, { ...item, shiftHours: -3 }],
    }),
  ).toBe("EQ-1, EQ-1 (× 1000), EQ-1 (−3 h), …");
  expect(suspects({ ...suspicion, sensors: 0, items: [] })).toBe("");
});
