import type { AverageItem, SeriesItem } from "@/api/types";
import { pointOf, type LinePoint } from "@/lib/line";

export const LETTERS = ["A", "B", "C", "D", "E", "F", "G", "H"] as const;
/** Letter and dash carry identity; colour helps. */
const DASHED = new Set(["C", "E", "H"]);
export const AXES_MAX = 4;

export interface Compared {
  letter: string;
  colour: string;
  dashed: boolean;
  id: string;
  unit: string;
  name: string | null;
  kind: string | null;
  points: LinePoint[];
  gaps: SeriesItem["gaps"];
  mean: number | null;
}

export function comparedOf(
  ids: readonly string[],
  items: readonly SeriesItem[],
  rows: ReadonlyMap<string, AverageItem>,
): Compared[] {
  return ids.map((id, index) => {
    const letter = LETTERS[index] ?? "?";
    const found = items.find((one) => one.equipmentId === id);
    const row = rows.get(id);
    return {
      letter,
      colour: `--line-${letter.toLowerCase()}`,
      dashed: DASHED.has(letter),
      id,
      unit: row?.unit ?? "",
      name: row?.name ?? null,
      kind: row?.kind ?? null,
      points: found?.buckets.map(pointOf) ?? [],
      gaps: found?.gaps ?? [],
      mean: row?.mean ?? null,
    };
  });
}

export interface Lane {
  title: string;
  unit: string;
  members: Compared[];
}

/** One lane for each unit, in order of the first that has it. */
export function lanesByUnit(compared: readonly Compared[]): Lane[] {
  const lanes: Lane[] = [];
  for (const one of compared) {
    const lane = lanes.find((found) => found.unit === one.unit);
    if (lane) {
      lane.members.push(one);
      if (lane.title !== one.kind) lane.title = one.unit;
    } else lanes.push({ title: one.kind ?? one.unit, unit: one.unit, members: [one] });
  }
  return lanes;
}

/** One lane for each sensor. */
export function lanesEach(compared: readonly Compared[]): Lane[] {
  return compared.map((one) => ({ title: one.id, unit: one.unit, members: [one] }));
}

/** Heights of lanes, which have as much room as they have lines, between one and a half. */
export function laneShares(lanes: readonly Lane[]): number[] {
  const weights = lanes.map((lane) => 1 + 0.3 * Math.min(3, lane.members.length - 1));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / all);
}

/** Marks at line ends pushed at least `apart` pixels from each other, in their order. */
export function pushedApart(places: readonly number[], apart: number): number[] {
  const order = places.map((_, index) => index).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  const found = [...places];
  let before = -Infinity;
  for (const index of order) {
    const place = Math.max(found[index] ?? 0, before + apart);
    found[index] = place;
    before = place;
  }
  return found;
}
