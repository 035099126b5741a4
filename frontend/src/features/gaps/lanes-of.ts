import type { GapItem, IncidentItem } from "@/api/types";

export interface LaneGroup {
  /** null: gaps that stand alone. */
  incident: IncidentItem | null;
  source: string | null;
  sensors: number;
  ids: string[];
}

const GROUPS = 3;
const LANES_PER_GROUP = 3;
const ALONE = 6;
const SHARED_MIN = 3;

/** Sensors whose gaps have one cause, the largest groups first; then those that stand alone, the
 * longest first. */
export function lanesOf(
  incidents: readonly IncidentItem[],
  gaps: readonly GapItem[],
  sourceOf: (id: string) => string | null,
  now: number,
): LaneGroup[] {
  const shared = [...incidents]
    .filter((one) => one.sensors >= SHARED_MIN)
    .sort((a, b) => b.sensors - a.sensors)
    .slice(0, GROUPS);
  const taken = new Set<string>();
  const groups: LaneGroup[] = shared.map((incident) => {
    const ids = incident.equipmentIds.filter((id) => !taken.has(id)).slice(0, LANES_PER_GROUP);
    for (const id of ids) taken.add(id);
    const sources = new Set(incident.equipmentIds.map(sourceOf));
    const [only] = sources;
    return {
      incident,
      source: sources.size === 1 ? (only ?? null) : null,
      sensors: incident.sensors,
      ids,
    };
  });
  const inShared = new Set(shared.flatMap((one) => one.equipmentIds));
  const length = (gap: GapItem) =>
    (gap.end === null ? now : Date.parse(gap.end)) - Date.parse(gap.start);
  const alone = new Map<string, number>();
  for (const gap of gaps) {
    if (inShared.has(gap.equipmentId)) continue;
    alone.set(gap.equipmentId, Math.max(alone.get(gap.equipmentId) ?? 0, length(gap)));
  }
  const longest = [...alone].sort((a, b) => b[1] - a[1]).map(([id]) => id);
  if (longest.length > 0) {
    groups.push({
      incident: null,
      source: null,
      sensors: longest.length,
      ids: longest.slice(0, ALONE),
    });
  }
  return groups.filter((group) => group.ids.length > 0);
}
