import { describe, expect, it } from "vitest";

import type { Bucket } from "@/api/types";

import { heatLayout, OTHER } from "./heat-layout";
import { importedRuns, pointAt, pointOf, refined, runsOf } from "./line";
import { railParts, sparkPath } from "./rail";
import { equalScale, niceScale } from "./scale";
import { suspects } from "./suspects";

const at = (minute: number) => new Date(minute * 60_000).toISOString();
const bucket = (minute: number, imported = 0): Bucket => ({
  start: at(minute),
  mean: minute,
  min: minute - 1,
  max: minute + 1,
  count: 2,
  imported,
});

describe("a line", () => {
  const points = [0, 1, 2, 9, 10].map((minute) => pointOf(bucket(minute)));
  const gaps = [{ start: at(2.5), end: at(8.9) }];

  it("is never joined across a gap", () => {
    expect(runsOf(points, gaps).map((run) => run.length)).toEqual([3, 2]);
    expect(runsOf(points, [])).toHaveLength(1);
    expect(runsOf([], gaps)).toEqual([]);
  });

  it("finds the point that the cursor stands in", () => {
    expect(pointAt(points, 95_000)).toBe(1);
    expect(pointAt(points, -5)).toBe(0);
    expect(pointAt(points, 1e9)).toBe(4);
  });

  it("takes what was asked for in detail in the place of the coarse points", () => {
    const fine = [1, 1.5, 2].map((minute) => pointOf(bucket(minute)));
    const found = refined(points, fine, 60_000, 180_000);
    expect(found.map((point) => point.time / 60_000)).toEqual([0, 1, 1.5, 2, 9, 10]);
  });

  it("knows the stretches that came by an import", () => {
    const some = [0, 1, 2, 3].map((minute) => pointOf(bucket(minute, minute === 0 ? 0 : 2)));
    expect(importedRuns(some, 60_000)).toEqual([{ from: 60_000, to: 240_000 }]);
  });
});

describe("a rail", () => {
  it("is filled where readings are stored, broken at gaps, hollow where they were imported", () => {
    const parts = railParts(
      [
        { start: at(2), end: at(4) },
        { start: at(9), end: null },
      ],
      [bucket(5, 2), bucket(6, 2)],
      60,
      at(0),
      at(10),
    );
    expect(parts.stored).toEqual([
      { from: 0, to: 0.2 },
      { from: 0.4, to: 0.9 },
    ]);
    expect(parts.gaps.map((gap) => gap.open)).toEqual([false, true]);
    expect(parts.imported).toEqual([{ from: 0.5, to: 0.7 }]);
  });

  it("has a small line that is broken there too", () => {
    const buckets = [0, 1, 5, 6].map((minute) => bucket(minute));
    const { path } = sparkPath(buckets, [{ start: at(1.5), end: at(4.9) }], at(0), at(10));
    expect(path.match(/M/g)).toHaveLength(2);
    expect(sparkPath([], [], at(0), at(10))).toEqual({ path: "", last: null });
  });
});

describe("the map", () => {
  const sensors = Array.from({ length: 2_000 }, (_, n) => ({
    id: `EQ-${String(10_000 + n)}`,
    source: `GW-${String(n % 24)}`,
    kind: ["Pressure", "Flow", "Level"][n % 3] ?? "",
    location: `Area ${String(n % 8)}`,
  }));

  it("gives every sensor a place of its own that fits", () => {
    const layout = heatLayout(sensors, 1_240, 300);
    const cells = layout.blocks.flatMap((block) => block.cells);
    expect(new Set(cells.map((cell) => `${String(cell.x)} ${String(cell.y)}`)).size).toBe(2_000);
    expect(layout.width).toBeLessThanOrEqual(1_241);
    expect(layout.height).toBeLessThanOrEqual(300);
    expect(layout.pitch).toBeGreaterThanOrEqual(10);
  });

  it("keeps the places whatever order the sensors come in", () => {
    const placed = (list: typeof sensors) =>
      new Map(heatLayout(list, 900, 300).blocks.flatMap((b) => b.cells.map((c) => [c.id, c])));
    const there = placed(sensors).get("EQ-10777");
    // Kinds and places are in the order of their first member, as the list of ids gives them.
    expect(placed([...sensors]).get("EQ-10777")).toEqual(there);
  });

  it("shows twenty thousand, and many groups as others", () => {
    const many = Array.from({ length: 20_000 }, (_, n) => ({
      id: `S${String(n)}`,
      source: "",
      kind: "",
      location: `Area ${String(n % 40)}`,
    }));
    const layout = heatLayout(many, 1_240, 300);
    expect(layout.blocks.flatMap((block) => block.cells)).toHaveLength(20_000);
    expect(layout.locations.at(-1)?.name).toBe(OTHER);
  });
});

describe("axes", () => {
  it("are padded to round steps, and equal ones share their lines", () => {
    expect(niceScale(80.7, 92.6, 8)).toEqual({ min: 80, max: 94, step: 2 });
    const equal = equalScale(52, 119, 6);
    expect((equal.max - equal.min) / equal.step).toBe(6);
    expect(equal.min).toBeLessThanOrEqual(52);
    expect(equal.max).toBeGreaterThanOrEqual(119);
    expect(niceScale(5, 5, 4).max).toBeGreaterThan(5);
  });
});

it("suspects are named with what is suspected, and cut off", () => {
  const item = {
    equipmentId: "EQ-1",
    readings: 1,
    timestamp: at(0),
    value: 1,
    factor: null,
    shiftHours: null,
  };
  expect(
    suspects({
      sensors: 7,
      items: [item, { ...item, factor: 1000.4 }, { ...item, shiftHours: -3 }],
    }),
  ).toBe("EQ-1, EQ-1 (× 1000), EQ-1 (−3 h), …");
  expect(suspects({ sensors: 0, items: [] })).toBe("");
});
