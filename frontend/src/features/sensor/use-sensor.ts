"use client";

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { api } from "@/api/client";
import { WINDOW_MS, type WindowName } from "@/api/types";
import { pointOf, refined, type LinePoint } from "@/lib/line";

const REFRESH_MS = 15_000;
/** Zoomed in further than this, the points are asked for anew and finer. */
const DETAIL_SHARE = 0.6;
const TEN_YEARS_MS = 3_650 * 86_400_000;

/** The window's line, and a finer one of what is zoomed into. */
export function useLine(id: string, window: WindowName, zoom: { from: number; to: number } | null) {
  const whole = useQuery({
    queryKey: ["series", id, window],
    queryFn: () => {
      const end = Math.floor(Date.now() / 1000) * 1000;
      return api.series(
        id,
        new Date(end - WINDOW_MS[window]).toISOString(),
        new Date(end).toISOString(),
      );
    },
    refetchInterval: REFRESH_MS,
    placeholderData: (previous, query) => (query?.queryKey[1] === id ? previous : undefined),
  });
  const fine = zoom !== null && zoom.to - zoom.from < WINDOW_MS[window] * DETAIL_SHARE;
  const detail = useQuery({
    queryKey: ["series", id, "detail", zoom?.from, zoom?.to],
    queryFn: () =>
      api.series(
        id,
        new Date(Math.floor(zoom?.from ?? 0)).toISOString(),
        new Date(Math.ceil(zoom?.to ?? 1)).toISOString(),
      ),
    enabled: fine,
    staleTime: 60_000,
    placeholderData: undefined,
  });
  const overall = useMemo<LinePoint[]>(
    () => whole.data?.items[0]?.buckets.map(pointOf) ?? [],
    [whole.data],
  );
  const points = useMemo(() => {
    if (!fine || !detail.data) return overall;
    const found = detail.data.items[0]?.buckets.map(pointOf) ?? [];
    return refined(overall, found, Date.parse(detail.data.start), Date.parse(detail.data.end));
  }, [overall, detail.data, fine]);
  const bucketSeconds =
    (fine ? detail.data?.bucketSeconds : undefined) ?? whole.data?.bucketSeconds ?? 120;
  return { whole, overall, points, bucketSeconds };
}

/** When it was first heard of. */
export function useFirstReading(id: string) {
  return useQuery({
    queryKey: ["first-reading", id],
    queryFn: async () => {
      const end = Date.now();
      const page = await api.readings(
        id,
        new Date(end - TEN_YEARS_MS).toISOString(),
        new Date(end).toISOString(),
        1,
      );
      return page.items[0]?.timestamp ?? null;
    },
    staleTime: Infinity,
  });
}

/** The imports whose readings stand in these stretches, as their ids. */
export function useImportIds(id: string, stretches: readonly { from: number; to: number }[]) {
  const first = stretches.slice(0, 4);
  return useQuery({
    queryKey: ["import-ids", id, first.map((one) => one.from).join(" ")],
    queryFn: () =>
      Promise.all(
        first.map(async ({ from, to }) => {
          const page = await api.readings(
            id,
            new Date(from).toISOString(),
            new Date(to).toISOString(),
            50,
          );
          const origin = page.items.find((one) => one.origin.startsWith("import:"))?.origin;
          return { from, to, importId: origin?.slice("import:".length) ?? null };
        }),
      ),
    enabled: first.length > 0,
    staleTime: 60_000,
  });
}
