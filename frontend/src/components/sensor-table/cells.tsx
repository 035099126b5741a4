"use client";

import Link from "next/link";
import { useState } from "react";

import { live } from "@/api/live";
import { useRowSeries } from "@/api/row-series";
import type { AverageItem, WindowName } from "@/api/types";
import { useLiveReading, useLiveStatus } from "@/api/use-live";
import { Mark } from "@/components/marks";
import { Rail } from "@/components/rail";
import { Sparkline } from "@/components/sparkline";
import { useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";
import { useNow } from "@/lib/now";
import { sensorLink } from "@/lib/view";

/** Under this share a figure is marked, and under the other a mean is withheld. */
const MARKED = 0.9;
const WITHHELD = 0.5;

export function IdLink({ id, window }: { id: string; window: WindowName }) {
  return (
    <Link className="id" href={sensorLink(id, window)} tabIndex={-1} prefetch={false}>
      {id}
    </Link>
  );
}

export function Line({ item, window }: { item: AverageItem; window: WindowName }) {
  const series = useRowSeries(window, item.equipmentId);
  return <Sparkline series={series} live={item.state === "ok" || item.state === "late"} />;
}

export function RowRail({ id, window }: { id: string; window: WindowName }) {
  return <Rail parts={useRowSeries(window, id)?.rail ?? null} />;
}

/** A mean of less than half of its window is not shown unless somebody asks for it. */
export function Mean({ item }: { item: AverageItem }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [anyway, setAnyway] = useState(false);
  const thin = item.coverage !== null && item.coverage < WITHHELD && item.mean !== null;
  if (thin && !anyway)
    return (
      <button
        className="link anyway"
        tabIndex={-1}
        aria-label={`${texts.showAnyway}: ${texts.mean} ${item.equipmentId}`}
        onClick={(event) => {
          event.stopPropagation();
          setAnyway(true);
        }}
      >
        – {texts.showShort}
      </button>
    );
  return <b>{format.number(item.mean, decimalsOf(item.unit))}</b>;
}

export function Coverage({ share }: { share: number | null }) {
  const format = useFormat();
  const low = share !== null && share < MARKED;
  const tone = share !== null && share < WITHHELD ? "error" : low ? "warn" : undefined;
  return (
    <span className={tone}>
      {low && <Mark name="gaps" />}
      {format.percent(share)}
    </span>
  );
}

/** The newer one of what was asked for and what came since. */
function newest(item: AverageItem, told: ReturnType<typeof live.reading>) {
  const later =
    told?.timestamp !== undefined &&
    told.timestamp !== null &&
    (item.lastTimestamp === null || told.timestamp > item.lastTimestamp);
  return later
    ? { at: told.timestamp, value: told.value }
    : { at: item.lastTimestamp, value: item.lastValue };
}

export function LastValue({ item }: { item: AverageItem }) {
  const format = useFormat();
  const { value } = newest(item, useLiveReading(item.equipmentId));
  return (
    <span className={item.state === "silent" ? "stale" : "strong"}>
      {format.number(value, decimalsOf(item.unit))}
    </span>
  );
}

export function LastSeen({ item }: { item: AverageItem }) {
  const format = useFormat();
  const { at } = newest(item, useLiveReading(item.equipmentId));
  const now = useNow();
  const status = useLiveStatus();
  // Ages count on from the last word of the server: what came after it is not known.
  const asOf = status === "not-live" ? live.heardAt : now;
  const tone = { silent: "error strong", late: "warn strong", ok: "", new: "" }[item.state];
  return <span className={tone}>{format.ago(at, asOf)}</span>;
}
