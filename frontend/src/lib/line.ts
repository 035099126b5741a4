import type { Bucket, GapSpan } from "@/api/types";

export interface LinePoint {
  time: number;
  mean: number;
  min: number;
  max: number;
  count: number;
  imported: number;
}

/** One bucket as a point at its beginning. */
export const pointOf = (bucket: Bucket): LinePoint => ({
  time: Date.parse(bucket.start),
  mean: bucket.mean,
  min: bucket.min,
  max: bucket.max,
  count: bucket.count,
  imported: bucket.imported,
});

/** A line is never joined across a gap: runs of points that may be joined. */
export function runsOf(points: readonly LinePoint[], gaps: readonly GapSpan[]): LinePoint[][] {
  const breaks = gaps.map((gap) => Date.parse(gap.start)).sort((a, b) => a - b);
  const runs: LinePoint[][] = [];
  let at = 0;
  let before = -Infinity;
  for (const point of points) {
    while (at < breaks.length && (breaks[at] ?? 0) < before) at += 1;
    const broken = at < breaks.length && (breaks[at] ?? 0) < point.time;
    if (broken) at += 1;
    const run = runs.at(-1);
    if (run && !broken) run.push(point);
    else runs.push([point]);
    before = point.time;
  }
  return runs;
}

/** The runs in one list with an empty point between two, as a chart wants it. */
export function withBreaks(runs: readonly LinePoint[][]): (LinePoint | { time: number })[] {
  return runs.flatMap((run, index) =>
    index === 0 ? run : [{ time: (run[0]?.time ?? 0) - 1 }, ...run],
  );
}

/** What was asked for in detail stands in the place of the coarse points. */
export function refined(
  coarse: readonly LinePoint[],
  detail: readonly LinePoint[],
  from: number,
  to: number,
): LinePoint[] {
  return [
    ...coarse.filter((point) => point.time < from),
    ...detail,
    ...coarse.filter((point) => point.time >= to),
  ];
}

/** The point under the cursor: the last that begins before it. */
export function pointAt(points: readonly LinePoint[], time: number): number {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((points[middle]?.time ?? 0) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Stretches that came by an import, from the first point to the last. */
export function importedRuns(
  points: readonly LinePoint[],
  bucketMs: number,
): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (const point of points) {
    if (point.imported === 0) continue;
    const last = found.at(-1);
    if (last && point.time - last.to <= bucketMs * 1.5) last.to = point.time + bucketMs;
    else found.push({ from: point.time, to: point.time + bucketMs });
  }
  return found;
}
