import type { Bucket, GapSpan } from "@/api/types";

/** Shares of a window, 0 at its start and 1 at its end. */
export interface Span {
  from: number;
  to: number;
}

export interface RailParts {
  stored: Span[];
  gaps: (Span & { open: boolean })[];
  imported: Span[];
}

/** What a rail shows of a window: filled where readings are stored, broken where they are missing,
 * hollow where they came by an import. */
export function railParts(
  gaps: readonly GapSpan[],
  buckets: readonly Bucket[],
  bucketSeconds: number,
  start: string,
  end: string,
  first: string | null = null,
): RailParts {
  const [begin, finish] = [Date.parse(start), Date.parse(end)];
  const length = finish - begin;
  const share = (instant: number) => Math.min(1, Math.max(0, (instant - begin) / length));
  const missing = gaps
    .map((gap) => ({
      from: share(Date.parse(gap.start)),
      to: gap.end === null ? 1 : share(Date.parse(gap.end)),
      open: gap.end === null,
    }))
    .filter((gap) => gap.to > gap.from)
    .sort((a, b) => a.from - b.from);
  const stored: Span[] = [];
  let at = first === null ? 0 : share(Date.parse(first));
  for (const gap of missing) {
    if (gap.from > at) stored.push({ from: at, to: gap.from });
    at = Math.max(at, gap.to);
  }
  if (at < 1) stored.push({ from: at, to: 1 });
  return { stored, gaps: missing, imported: importedSpans(buckets, bucketSeconds, share) };
}

function importedSpans(
  buckets: readonly Bucket[],
  bucketSeconds: number,
  share: (instant: number) => number,
): Span[] {
  const found: Span[] = [];
  for (const bucket of buckets) {
    if (bucket.imported * 2 < bucket.count || bucket.imported === 0) continue;
    const from = share(Date.parse(bucket.start));
    const to = share(Date.parse(bucket.start) + bucketSeconds * 1000);
    const last = found.at(-1);
    if (last && from - last.to < 1e-6) last.to = to;
    else found.push({ from, to });
  }
  return found;
}

/** The path of a small line in a box of 1000 by 100, broken at gaps. */
export function sparkPath(
  buckets: readonly Bucket[],
  gaps: readonly GapSpan[],
  start: string,
  end: string,
): { path: string; last: { x: number; y: number } | null } {
  const [begin, finish] = [Date.parse(start), Date.parse(end)];
  let low = Infinity;
  let high = -Infinity;
  for (const bucket of buckets) {
    low = Math.min(low, bucket.mean);
    high = Math.max(high, bucket.mean);
  }
  const range = high - low || 1;
  const breaks = gaps.map((gap) => Date.parse(gap.start)).sort((a, b) => a - b);
  let path = "";
  let next = 0;
  let last: { x: number; y: number } | null = null;
  let before = -Infinity;
  for (const bucket of buckets) {
    const at = Date.parse(bucket.start);
    while (next < breaks.length && (breaks[next] ?? 0) < before) next += 1;
    const broken = next < breaks.length && (breaks[next] ?? 0) < at;
    if (broken) next += 1;
    const x = Math.round(((at - begin) / (finish - begin)) * 1000);
    const y = Math.round(high === low ? 50 : 92 - ((bucket.mean - low) / range) * 84);
    path += `${path && !broken ? "L" : "M"}${String(x)} ${String(y)}`;
    last = { x, y };
    before = at;
  }
  return { path, last };
}
