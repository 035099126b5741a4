"use client";

import Link from "next/link";
import { useMemo } from "react";

import { useRowSeries } from "@/api/row-series";
import type { AverageItem, WindowName } from "@/api/types";
import { Icon } from "@/components/icons";
import { Mark } from "@/components/marks";
import { Sparkline } from "@/components/sparkline";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { useNow } from "@/lib/now";
import { meanCoverage, rampOf } from "@/lib/shape";
import { sensorLink } from "@/lib/view";

const NEWEST = 4;

/** What just went quiet: the first question on a phone. */
export function NewestSilences(props: { items: readonly AverageItem[]; window: WindowName }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const silent = useMemo(
    () =>
      props.items
        .filter((item) => item.state === "silent")
        .sort((a, b) => ((a.lastTimestamp ?? "") < (b.lastTimestamp ?? "") ? 1 : -1)),
    [props.items],
  );
  return (
    <section className="panel only-phone" aria-label={texts.newestSilences}>
      <header className="row">
        <h2>{texts.newestSilences}</h2>
        {silent.length > 0 && (
          <Link className="push row" href="/sensors?state=silent">
            {fill(texts.allCount, { count: format.count(silent.length) })}
            <Icon name="right" />
          </Link>
        )}
      </header>
      {silent.length === 0 && <p className="quiet">{texts.noneSilent}</p>}
      <ul className="silences">
        {silent.slice(0, NEWEST).map((item) => (
          <Silence key={item.equipmentId} item={item} window={props.window} />
        ))}
      </ul>
    </section>
  );
}

function Silence({ item, window }: { item: AverageItem; window: WindowName }) {
  const format = useFormat();
  const now = useNow();
  const series = useRowSeries(window, item.equipmentId);
  const seconds =
    item.lastTimestamp === null ? null : (now - Date.parse(item.lastTimestamp)) / 1000;
  return (
    <li>
      <Link href={sensorLink(item.equipmentId, window)}>
        <Mark name="silent" />
        <span className="clip">
          <b>{item.equipmentId}</b>
          <small className="clip">{item.name}</small>
        </span>
        <Sparkline series={series} live={false} />
        <span className="num">
          <span className="error">{seconds === null ? "–" : format.duration(seconds)}</span>
          <small>{item.location}</small>
        </span>
      </Link>
    </li>
  );
}

/** The map is too small for a thumb: the same facts as bars. */
export function ByLocation({ items }: { items: readonly AverageItem[] }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const rows = useMemo(() => {
    const groups = new Map<string, AverageItem[]>();
    for (const item of items) {
      const group = groups.get(item.location ?? "");
      if (group) group.push(item);
      else groups.set(item.location ?? "", [item]);
    }
    return [...groups]
      .map(([name, group]) => {
        const silent = group.filter((item) => item.state === "silent").length;
        const thin = group.filter(
          (item) => item.state !== "silent" && rampOf(item.coverage) > 0,
        ).length;
        return { name, total: group.length, silent, thin, share: meanCoverage(group) };
      })
      .sort((a, b) => (a.share ?? 1) - (b.share ?? 1));
  }, [items]);
  return (
    <section className="panel only-phone" aria-label={texts.byLocation}>
      <header className="row">
        <h2>{texts.byLocation}</h2>
        <span className="quiet push">{texts.coverage.toLowerCase()}</span>
      </header>
      <ul className="by-location">
        {rows.map((row) => (
          <li key={row.name}>
            <Link href={`/sensors?location=${encodeURIComponent(row.name)}`}>
              <span className="clip">{row.name || texts.noName}</span>
              <svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
                <Bars total={row.total} thin={row.thin} silent={row.silent} />
              </svg>
              <span className={(row.share ?? 1) < 0.975 ? "num warn" : "num"}>
                {format.percent(row.share)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Bars({ total, thin, silent }: { total: number; thin: number; silent: number }) {
  const wide = (items: number) => (items ? Math.max(12, (items / total) * 980) : 0);
  const last = wide(silent);
  const middle = wide(thin);
  const first = 1000 - last - middle - (last ? 10 : 0) - (middle ? 10 : 0);
  return (
    <>
      <rect x="0" width={Math.max(0, first)} height="10" fill="var(--h0)" />
      <rect x={first + 10} width={middle} height="10" fill="var(--h2)" />
      <rect x={1000 - last} width={last} height="10" fill="var(--sil)" />
    </>
  );
}
