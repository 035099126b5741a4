/** Small lines and rails of the sensors that are in sight: asked for twenty at a time, kept a
 * minute, and never for those that only flew by. */
import { useEffect, useSyncExternalStore } from "react";

import { railParts, sparkPath, type RailParts } from "@/lib/rail";

import { api } from "./client";
import { WINDOW_MS, type GapSpan, type WindowName } from "./types";

export interface RowSeries {
  path: string;
  last: { x: number; y: number } | null;
  rail: RailParts;
  gaps: GapSpan[];
}

const BUCKETS: Record<WindowName, string> = {
  "24h": "15m",
  "48h": "30m",
  "7d": "2h",
  "30d": "12h",
};
const FRESH_MS = 60_000;
const SETTLE_MS = 60;
const SENSORS_PER_CALL = 20;
const KEPT_MAX = 3_000;

const kept = new Map<string, { at: number; series: RowSeries }>();
const wanted = new Map<string, { window: WindowName; id: string }>();
const asked = new Set<string>();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

const keyOf = (window: WindowName, id: string) => `${window} ${id}`;

function want(window: WindowName, id: string): () => void {
  const key = keyOf(window, id);
  wanted.set(key, { window, id });
  timer ??= setTimeout(() => void ask(), SETTLE_MS);
  return () => wanted.delete(key);
}

async function ask(): Promise<void> {
  timer = undefined;
  if (document.hidden) return;
  const due = [...wanted.entries()].filter(([key]) => {
    const found = kept.get(key);
    return !asked.has(key) && (!found || Date.now() - found.at > FRESH_MS);
  });
  const windows = new Map<WindowName, string[]>();
  for (const [, { window, id }] of due) windows.set(window, [...(windows.get(window) ?? []), id]);
  const calls = [...windows].flatMap(([window, ids]) =>
    Array.from({ length: Math.ceil(ids.length / SENSORS_PER_CALL) }, (_, part) =>
      load(window, ids.slice(part * SENSORS_PER_CALL, (part + 1) * SENSORS_PER_CALL)),
    ),
  );
  await Promise.all(calls);
}

async function load(window: WindowName, ids: string[]): Promise<void> {
  const keys = ids.map((id) => keyOf(window, id));
  for (const key of keys) asked.add(key);
  const now = Math.floor(Date.now() / 1000) * 1000;
  const start = new Date(now - WINDOW_MS[window]).toISOString();
  const end = new Date(now).toISOString();
  try {
    const page = await api.series(ids, start, end, BUCKETS[window]);
    if (kept.size > KEPT_MAX) kept.clear();
    for (const one of page.items) {
      kept.set(keyOf(window, one.equipmentId), {
        at: Date.now(),
        series: {
          ...sparkPath(one.buckets, one.gaps, start, end),
          rail: railParts(one.gaps, one.buckets, page.bucketSeconds, start, end),
          gaps: one.gaps,
        },
      });
    }
    for (const watcher of watchers) watcher();
  } catch {
    // The row shows what it has; the next look asks again.
  } finally {
    for (const key of keys) asked.delete(key);
  }
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export function useRowSeries(window: WindowName, id: string, shown = true): RowSeries | null {
  useEffect(() => {
    if (!shown) return;
    const stop = want(window, id);
    const again = setInterval(() => (timer ??= setTimeout(() => void ask(), SETTLE_MS)), FRESH_MS);
    return () => {
      stop();
      clearInterval(again);
    };
  }, [window, id, shown]);
  return useSyncExternalStore(
    subscribe,
    () => kept.get(keyOf(window, id))?.series ?? null,
    () => null,
  );
}
