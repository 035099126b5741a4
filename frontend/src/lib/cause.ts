import type { GapItem, IncidentItem } from "@/api/types";

export interface SharedBy {
  sensors: number;
  source: string | null;
}

const TOGETHER_MS = 30 * 60_000;

/** With how many sensors a gap is shared, after the incidents; null: it stands alone. */
export function sharedBy(
  gap: Pick<GapItem, "equipmentId" | "start" | "end">,
  incidents: readonly IncidentItem[],
  sourceOf: (id: string) => string | null,
): SharedBy | null {
  const near = (a: string | null, b: string | null) =>
    a === b || (a !== null && b !== null && Math.abs(Date.parse(a) - Date.parse(b)) < TOGETHER_MS);
  const mine = sourceOf(gap.equipmentId);
  const found = incidents.find(
    (one) =>
      one.sensors > 2 &&
      (one.equipmentIds.includes(gap.equipmentId) ||
        // The first twenty are named; of the others the gateway tells.
        (one.sensors > one.equipmentIds.length &&
          mine !== null &&
          one.equipmentIds.some((id) => sourceOf(id) === mine))) &&
      near(one.start, gap.start) &&
      near(one.end, gap.end),
  );
  if (!found) return null;
  const sources = new Set(found.equipmentIds.map(sourceOf));
  const [only] = sources;
  return { sensors: found.sensors, source: sources.size === 1 ? (only ?? null) : null };
}
