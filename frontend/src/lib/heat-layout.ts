/** A fixed place for every sensor: rows are kinds, columns locations, cells in order of their id. */

export interface Placed {
  id: string;
  x: number;
  y: number;
}

export interface HeatBlock {
  kind: string;
  location: string;
  cells: Placed[];
  columns: number;
  rows: number;
}

export interface HeatLayout {
  pitch: number;
  width: number;
  height: number;
  kinds: { name: string; y: number; height: number }[];
  locations: { name: string; x: number; width: number }[];
  blocks: HeatBlock[];
}

export interface HeatSensor {
  id: string;
  /** What shares a gateway lies together: its outage is one patch. */
  source: string;
  kind: string;
  location: string;
}

const PITCHES = [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4];
const ROW_GAP = 6;
const COLUMN_GAP = 14;
export const OTHER = "\u0000other";
const GROUPS_MAX = 12;

/** The largest cells that fit into `width` by `heightMax`. */
export function heatLayout(
  sensors: readonly HeatSensor[],
  width: number,
  heightMax: number,
): HeatLayout {
  const ordered = [...sensors].sort((a, b) =>
    a.source === b.source ? compareText(a.id, b.id) : compareText(a.source, b.source),
  );
  const kinds = groupsOf(sensors, (sensor) => sensor.kind, true);
  const locations = groupsOf(sensors, (sensor) => sensor.location, false);
  const members = new Map<string, string[]>();
  for (const sensor of ordered) {
    const kind = kinds.includes(sensor.kind) ? sensor.kind : OTHER;
    const location = locations.includes(sensor.location) ? sensor.location : OTHER;
    const key = `${kind}\0${location}`;
    const group = members.get(key);
    if (group) group.push(sensor.id);
    else members.set(key, [sensor.id]);
  }
  const count = (kind: string, location: string) =>
    members.get(`${kind}\0${location}`)?.length ?? 0;
  let last: HeatLayout | null = null;
  for (const pitch of PITCHES) {
    const columns = Math.floor((width - COLUMN_GAP * (locations.length - 1)) / pitch);
    const rows = rowsThatFit(kinds, locations, count, columns);
    last = place(kinds, locations, members, rows, pitch, width);
    if (last.height <= heightMax && last.width <= width + 1) return last;
  }
  return last ?? place([], [], members, new Map(), 11, width);
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** In order of their first member; the most frequent kinds on top, and what is over as one. */
function groupsOf(
  sensors: readonly HeatSensor[],
  nameOf: (sensor: HeatSensor) => string,
  byCount: boolean,
): string[] {
  const found = new Map<string, number>();
  for (const sensor of sensors) found.set(nameOf(sensor), (found.get(nameOf(sensor)) ?? 0) + 1);
  const names = [...found.keys()];
  const byFrequency = [...names].sort((a, b) => (found.get(b) ?? 0) - (found.get(a) ?? 0));
  if (byFrequency.length > GROUPS_MAX) {
    const kept = new Set(byFrequency.slice(0, GROUPS_MAX - 1));
    return [...(byCount ? byFrequency : names).filter((name) => kept.has(name)), OTHER];
  }
  return byCount ? byFrequency : names;
}

/** Rows of each kind so that the widest blocks side by side take no more than `columns`. */
function rowsThatFit(
  kinds: readonly string[],
  locations: readonly string[],
  count: (kind: string, location: string) => number,
  columns: number,
): Map<string, number> {
  let rows = new Map<string, number>();
  for (let wide = Math.max(1, columns); wide >= 1; wide -= 1) {
    rows = new Map(
      kinds.map((kind) => [
        kind,
        Math.max(1, ...locations.map((location) => Math.ceil(count(kind, location) / wide))),
      ]),
    );
    const needed = locations.reduce(
      (sum, location) =>
        sum +
        Math.max(
          1,
          ...kinds.map((kind) => Math.ceil(count(kind, location) / (rows.get(kind) ?? 1))),
        ),
      0,
    );
    if (needed <= columns) return rows;
  }
  return rows;
}

function place(
  kinds: readonly string[],
  locations: readonly string[],
  members: ReadonlyMap<string, readonly string[]>,
  rows: ReadonlyMap<string, number>,
  pitch: number,
  width: number,
): HeatLayout {
  const columnsOf = (location: string) =>
    Math.max(
      1,
      ...kinds.map((kind) =>
        Math.ceil((members.get(`${kind}\0${location}`)?.length ?? 0) / (rows.get(kind) ?? 1)),
      ),
    );
  const wide = locations.map(columnsOf);
  const used = wide.reduce((sum, columns) => sum + columns, 0) * pitch;
  const gap =
    locations.length > 1
      ? Math.max(COLUMN_GAP, Math.min(40, (width - used) / (locations.length - 1)))
      : 0;
  let x = 0;
  const across = locations.map((name, index) => {
    const at = { name, x, width: (wide[index] ?? 1) * pitch };
    x += at.width + gap;
    return at;
  });
  let y = 0;
  const down = kinds.map((name) => {
    const at = { name, y, height: (rows.get(name) ?? 1) * pitch };
    y += at.height + ROW_GAP;
    return at;
  });
  const blocks = down.flatMap((kind) =>
    across.map((location) => {
      const ids = members.get(`${kind.name}\0${location.name}`) ?? [];
      const high = rows.get(kind.name) ?? 1;
      const columns = Math.ceil(ids.length / high);
      const cells = ids.map((id, index) => ({
        id,
        x: location.x + Math.floor(index / high) * pitch,
        y: kind.y + (index % high) * pitch,
      }));
      return { kind: kind.name, location: location.name, cells, columns, rows: high };
    }),
  );
  return {
    pitch,
    width: Math.max(0, x - gap),
    height: Math.max(0, y - ROW_GAP),
    kinds: down,
    locations: across,
    blocks,
  };
}
