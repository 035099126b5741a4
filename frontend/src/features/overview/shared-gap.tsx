"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { api } from "@/api/client";
import { WINDOW_MS, type AverageItem, type IncidentsPage, type WindowName } from "@/api/types";
import { Mark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";

const WORTH_TELLING = 3;

/** Asked for beside the means, not after them: the sentence comes with the map that it explains. */
export function useIncidents(window: WindowName) {
  return useQuery({
    queryKey: ["gaps", "incidents", "shared", window],
    queryFn: () => api.incidents(new Date(Date.now() - WINDOW_MS[window]).toISOString()),
    refetchInterval: 60_000,
    retry: false,
  });
}

/** The sentence that explains the cluster in the map: the largest gap that sensors share. */
export function SharedGap(props: {
  window: WindowName;
  incidents: IncidentsPage | undefined;
  items: readonly AverageItem[];
}) {
  const { texts } = useSpeech();
  const format = useFormat();
  const largest = props.incidents?.items.reduce(
    (a, b) => (b.sensors > a.sensors ? b : a),
    props.incidents.items[0] ?? NONE,
  );
  if (!largest || largest.sensors < WORTH_TELLING) return null;
  const named = new Set(largest.equipmentIds);
  const places = new Set(
    props.items.filter((item) => named.has(item.equipmentId)).map((item) => item.location ?? ""),
  );
  const [place] = places.size === 1 ? places : [""];
  const when =
    largest.end === null
      ? fill(texts.sinceTime, { time: format.minute(largest.start) })
      : format.span(largest.start, largest.end);
  return (
    <p className="shared-gap">
      <Mark name="gaps" />
      <span>
        <b>{fill(texts.sensorsCount, { count: format.count(largest.sensors) })}</b>{" "}
        {place ? fill(texts.shareGapIn, { place }) : texts.shareGap}, {when}
      </span>
      <Link href={`/gaps${props.window === "24h" ? "" : `?window=${props.window}`}`}>
        {texts.review}
      </Link>
    </p>
  );
}

const NONE = { start: "", end: null, sensors: 0, equipmentIds: [], expected: 0 };
