"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";

import { api } from "@/api/client";
import type { AverageItem } from "@/api/types";
import { Empty } from "@/features/overview/empty";
import { MeansChart } from "@/features/overview/means-chart";
import { SensorTable } from "@/features/overview/sensor-table";
import { fill, useSpeech } from "@/i18n/language";
import { count, moment } from "@/lib/format";
import { matching, sorted, type Sort } from "@/lib/shape";

export const WINDOWS = ["24h", "48h", "7d", "30d"] as const;
export type WindowName = (typeof WINDOWS)[number];
const LIVE_MS = 5_000;

interface Props {
  window: WindowName;
  onWindow: (window: WindowName) => void;
  selected: string | null;
  onSelect: (item: AverageItem | null) => void;
  children: ReactNode;
}

/** The mean of every sensor: figures, chart, table, and beside it the chosen one. */
export function Overview({ window, onWindow, selected, onSelect, children }: Props) {
  const { texts, language } = useSpeech();
  const [search, setSearch] = useState("");
  const [sort, setSort] = useState<Sort>({ key: "equipmentId", descending: false });
  const field = useRef<HTMLInputElement>(null);
  const averages = useQuery({
    queryKey: ["averages", window],
    queryFn: () => api.averages(window),
    refetchInterval: LIVE_MS,
  });
  const items = useMemo(() => averages.data?.items ?? [], [averages.data]);
  const shown = useMemo(() => sorted(matching(items, search), sort), [items, search, sort]);
  useKeys(field, onWindow, onSelect);
  const of = (state: AverageItem["state"]) => items.filter((item) => item.state === state).length;
  const labels = { "24h": texts.w24h, "48h": texts.w48h, "7d": texts.w7d, "30d": texts.w30d };
  return (
    <>
      {averages.isError && averages.data && (
        <div className="banner" role="status">
          {fill(texts.notLive, { time: moment(averages.data.end, language) })}
        </div>
      )}
      <main>
        <div className="row">
          <h1>{texts.overview}</h1>
          {averages.data && (
            <span className="quiet">
              {moment(averages.data.start, language)} → {moment(averages.data.end, language)}
            </span>
          )}
          <input
            ref={field}
            className="push"
            type="search"
            placeholder={`${texts.search}  /`}
            aria-label={texts.search}
            value={search}
            onChange={(event) => {
              setSearch(event.target.value);
            }}
          />
          <div className="switch" role="group" aria-label={texts.window}>
            {WINDOWS.map((name) => (
              <button
                key={name}
                aria-pressed={name === window}
                onClick={() => {
                  onWindow(name);
                }}
              >
                {labels[name]}
              </button>
            ))}
          </div>
        </div>
        {averages.isError && !averages.data && (
          <section className="panel" role="alert">
            <p className="error">{texts.failed}</p>
            <button onClick={() => void averages.refetch()}>{texts.again}</button>
          </section>
        )}
        {averages.data && items.length === 0 && <Empty />}
        {items.length > 0 && (
          <>
            <section className="panel figures" aria-label={texts.overview}>
              <Figure label={texts.sensors} value={count(items.length, language)} />
              <Figure label={texts.reporting} value={count(of("ok"), language)} />
              <Figure label={texts.late} value={count(of("late"), language)} />
              <Figure label={texts.silent} value={count(of("silent"), language)} alarm />
              <Figure
                label={texts.readingsInWindow}
                value={count(
                  items.reduce((sum, item) => sum + item.count, 0),
                  language,
                )}
              />
            </section>
            <div className={selected === null ? "two" : "two open"}>
              <MeansChart items={shown} onSelect={onSelect} />
              {children}
            </div>
            <section className="panel">
              <div className="row">
                <h2>{texts.sensors}</h2>
                <span className="quiet">
                  {count(shown.length, language)} / {count(items.length, language)}
                </span>
                <DownloadCsv window={window} search={search} label={texts.downloadCsv} />
              </div>
              {shown.length === 0 && <p className="quiet">{texts.noMatch}</p>}
              <SensorTable
                items={shown}
                sort={sort}
                onSort={setSort}
                selected={selected}
                onSelect={onSelect}
              />
            </section>
          </>
        )}
      </main>
    </>
  );
}

function Figure({
  label,
  value,
  alarm = false,
}: {
  label: string;
  value: string;
  alarm?: boolean;
}) {
  return (
    <div className="figure">
      <span>{label}</span>
      <b className={alarm && value !== "0" ? "error" : undefined}>{value}</b>
    </div>
  );
}

/** A link cannot ask for text/csv, so the answer is fetched and offered as a file. */
function DownloadCsv({ window, search, label }: { window: string; search: string; label: string }) {
  const download = async () => {
    const query = new URLSearchParams({ window, q: search });
    const response = await fetch(`/api/v1/averages?${query}`, { headers: { accept: "text/csv" } });
    const url = URL.createObjectURL(await response.blob());
    const link = document.createElement("a");
    link.href = url;
    link.download = `averages-${window}.csv`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <button className="push" onClick={() => void download()}>
      {label}
    </button>
  );
}

function useKeys(
  field: React.RefObject<HTMLInputElement | null>,
  onWindow: (window: WindowName) => void,
  onSelect: (item: null) => void,
) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const typing =
        event.target instanceof HTMLElement && /INPUT|SELECT/.test(event.target.tagName);
      if (event.key === "Escape") {
        if (typing) (event.target as HTMLElement).blur();
        else onSelect(null);
      }
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") {
        event.preventDefault();
        field.current?.focus();
      }
      const name = WINDOWS[Number(event.key) - 1];
      if (name) onWindow(name);
    };
    addEventListener("keydown", press);
    return () => {
      removeEventListener("keydown", press);
    };
  }, [field, onWindow, onSelect]);
}
