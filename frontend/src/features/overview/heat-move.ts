import type { Placed } from "@/lib/heat-layout";

const WAYS: Record<string, [number, number]> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

/** The cell that an arrow leads to: the nearest in that direction, over the gaps between blocks. */
export function neighbour(
  cells: readonly Placed[],
  from: Placed,
  key: string,
  steps: number,
  pitch: number,
): Placed | null {
  const way = WAYS[key];
  if (!way) return null;
  let at = from;
  for (let step = 0; step < steps; step += 1) at = nearest(cells, at, way, pitch) ?? at;
  return at;
}

function nearest(
  cells: readonly Placed[],
  from: Placed,
  [right, down]: [number, number],
  pitch: number,
): Placed | null {
  let best: Placed | null = null;
  let least = Infinity;
  for (const cell of cells) {
    const along = (cell.x - from.x) * right + (cell.y - from.y) * down;
    const aside = Math.abs((cell.x - from.x) * down) + Math.abs((cell.y - from.y) * right);
    if (along <= 0.5 || (right !== 0 && aside > pitch / 2)) continue;
    const far = along + aside * 3;
    if (far < least) {
      least = far;
      best = cell;
    }
  }
  return best;
}
