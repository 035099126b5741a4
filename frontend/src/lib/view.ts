"use client";

import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

import { WINDOWS, type WindowName } from "@/api/types";

type Values = Record<string, string | readonly string[] | null>;

/** What is looked at stands in the address, so that a view can be sent on and come back to. */
export function useView() {
  const params = useSearchParams();
  const change = useCallback((values: Values, how: "replace" | "push" = "replace") => {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) {
      next.delete(name);
      for (const one of Array.isArray(value) ? value : [value as string | null])
        if (one) next.append(name, one);
    }
    const text = next.toString();
    const url = text ? `?${text}` : location.pathname;
    if (how === "push") history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  }, []);
  return useMemo(() => {
    const asked = params.get("window");
    return {
      get: (name: string) => params.get(name) ?? "",
      all: (name: string) => params.getAll(name),
      window: WINDOWS.find((name) => name === asked) ?? ("24h" as WindowName),
      change,
      setWindow: (name: WindowName) => {
        change({ window: name === "24h" ? null : name });
      },
    };
  }, [params, change]);
}

export const sensorLink = (id: string, window: WindowName = "24h") =>
  `/sensor?${new URLSearchParams({ id, ...(window === "24h" ? {} : { window }) }).toString()}`;

export const compareLink = (ids: readonly string[], window: WindowName = "24h") =>
  `/compare?${new URLSearchParams([
    ...ids.map((id) => ["id", id]),
    ...(window === "24h" ? [] : [["window", window]]),
  ]).toString()}`;
