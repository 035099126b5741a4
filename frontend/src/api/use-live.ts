"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";

import { live } from "./live";

const LISTS: Record<string, string[]> = {
  notification: ["notifications", "dead-letters"],
  import: ["imports"],
  reset: ["averages", "notifications", "imports", "gaps"],
};

/** Keeps the connection while the page is shown, and has lists asked anew when they changed. */
export function useLiveConnection(): void {
  const client = useQueryClient();
  useEffect(() => {
    const waiting = new Set<string>();
    const ends = live.onEvent((kind) => {
      for (const key of LISTS[kind] ?? []) {
        if (waiting.has(key)) continue;
        waiting.add(key);
        setTimeout(() => {
          waiting.delete(key);
          void client.invalidateQueries({ queryKey: [key] });
        }, 300);
      }
    });
    const stop = live.begin();
    return () => {
      stop();
      ends();
    };
  }, [client]);
}

export const useLiveStatus = () =>
  useSyncExternalStore(
    live.subscribe,
    () => live.status,
    () => "live" as const,
  );

/** The newest of a sensor, newer than any list; undefined while nothing came. */
export const useLiveReading = (id: string) =>
  useSyncExternalStore(
    live.subscribe,
    () => live.reading(id),
    () => undefined,
  );

export const useLiveStates = () =>
  useSyncExternalStore(
    live.subscribe,
    () => live.states,
    () => 0,
  );
