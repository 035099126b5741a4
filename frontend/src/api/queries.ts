"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";

import { api } from "./client";
import { identity } from "./identity";
import { live } from "./live";
import { WINDOWS, type AverageItem, type AveragesPage, type WindowName } from "./types";
import { useLiveStates, useLiveStatus } from "./use-live";

const LIVE_MS = 15_000;
const POLL_MS = 5_000;
const UNWATCHED_MS = 60_000;
const MONTH_MS = 300_000;

const averages = (window: WindowName) => ({
  queryKey: ["averages", window],
  queryFn: () => api.averages(window),
  // Two thousand rows are new anyway: comparing them costs more than drawing what is in sight.
  structuralSharing: false,
});

/** The means of all sensors, kept fresh; the other windows are fetched while nothing else is to
 * do, so that they are one press apart. */
export function useAverages(window: WindowName, watched = true, enabled = true) {
  const status = useLiveStatus();
  const client = useQueryClient();
  const found = useQuery({
    ...averages(window),
    enabled,
    refetchInterval: !watched ? UNWATCHED_MS : status === "live" ? LIVE_MS : POLL_MS,
    staleTime: watched ? 2_000 : UNWATCHED_MS,
  });
  const there = found.data !== undefined;
  useEffect(() => {
    if (!there) return;
    let ended = false;
    const ahead = async () => {
      for (const other of WINDOWS) {
        if (ended || document.hidden) return;
        if (other !== window) await client.prefetchQuery({ ...averages(other), staleTime: 60_000 });
      }
    };
    const timer = setTimeout(() => void ahead(), 600);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [there, window, client]);
  return found;
}

/** One sensor's row, alone in its page: of the list where that is there already. */
export function useAverageOf(id: string, window: WindowName, watched = true) {
  const status = useLiveStatus();
  const client = useQueryClient();
  const found = useQuery({
    queryKey: ["averages", window, id],
    queryFn: () => api.averagesLike(id, window),
    initialData: () => client.getQueryData<AveragesPage>(["averages", window]),
    initialDataUpdatedAt: () => client.getQueryState(["averages", window])?.dataUpdatedAt,
    placeholderData: undefined,
    refetchInterval: !watched ? UNWATCHED_MS : status === "live" ? LIVE_MS : POLL_MS,
    staleTime: watched ? 2_000 : UNWATCHED_MS,
  });
  const item = useMemo(
    () => found.data?.items.find((one) => one.equipmentId === id),
    [found.data, id],
  );
  return { item, end: found.data?.end };
}

/** The month's ranges, against which a window's range is drawn. */
export function useMonth(ready: boolean): Map<string, AverageItem> {
  const { data } = useQuery({
    ...averages("30d"),
    enabled: ready,
    staleTime: MONTH_MS,
    select: byId,
  });
  return data ?? NONE;
}

const NONE = new Map<string, AverageItem>();
const byId = (page: AveragesPage) => new Map(page.items.map((item) => [item.equipmentId, item]));

/** The rows with the states that were told since they were fetched. */
export function useWithLiveStates(items: readonly AverageItem[]): readonly AverageItem[] {
  const states = useLiveStates();
  return useMemo(() => {
    let changed = false;
    const merged = items.map((item) => {
      const told = live.reading(item.equipmentId);
      if (!told || told.state === item.state) return item;
      changed = true;
      return { ...item, state: told.state };
    });
    return changed ? merged : items;
    // `states` grows whenever one of them turned.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [items, states]);
}

export const usePlant = (ready = true) =>
  useQuery({ queryKey: ["plant"], queryFn: api.plant, staleTime: Infinity, enabled: ready });

export const useMe = () =>
  useQuery({ queryKey: ["me"], queryFn: identity.whoAmI, staleTime: 60_000 });

/** Whether who is signed in may change things. */
export function useMayOperate(): boolean {
  const me = useMe();
  return me.data?.role === "operator" || me.data?.role === "admin";
}

/** What the registry knows of each sensor: kind, gateway, range. */
export function useRegistered() {
  return useQuery({
    queryKey: ["sensors"],
    queryFn: api.sensors,
    staleTime: MONTH_MS,
    structuralSharing: false,
  });
}
