"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { api } from "@/api/client";
import type { CoveragePage, WindowName } from "@/api/types";
import { Mark, type MarkName } from "@/components/marks";
import { useWindowNames } from "@/components/window-switch";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import type { Headline } from "@/lib/shape";

const PARTS = 120;
const RATE_MS = 5_000;
const FIRST_RATE_MS = 1_500;

/** The plant in six figures; the first one is what the page is about. */
export function HeadlineStrip({ figures, window }: { figures: Headline; window: WindowName }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const names = useWindowNames();
  const readings = format.big(figures.readings);
  const coverage = useQuery({
    queryKey: ["coverage", window],
    queryFn: () => api.plantCoverage(window, PARTS),
    refetchInterval: 60_000,
    retry: false,
  });
  const rate = useRate();
  const shown = format.percent(figures.coverage, 2).replace(/\s?%$/u, "");
  return (
    <section className="panel headline" aria-label={texts.headline}>
      <div className="figure first">
        <span>{texts.plantCoverage}</span>
        <b className="value-l">
          {shown}
          {figures.coverage !== null && <small>%</small>}
        </b>
        <CoverageLine page={coverage.data} />
      </div>
      <Figure
        href="/sensors?state=silent"
        mark="silent"
        label={texts.silent}
        tone={figures.silent > 0 ? "error" : undefined}
        value={format.count(figures.silent)}
        about={
          figures.silentLastHour > 0 &&
          fill(texts.newInHour, { count: format.count(figures.silentLastHour) })
        }
      />
      <Figure
        href={`/sensors?state=gaps${window === "24h" ? "" : `&window=${window}`}`}
        mark="gaps"
        label={texts.withGaps}
        value={format.count(figures.gaps)}
        about={fill(texts.inWindow, { window: names[window] })}
      />
      <Figure
        mark="ok"
        label={texts.reporting}
        value={format.count(figures.reporting)}
        about={`/ ${format.count(figures.total)}`}
      />
      <Figure label={texts.readingsInWindow} value={readings.figure} about={readings.word} />
      <Figure
        label={texts.liveRate}
        value={rate === null ? "–" : format.count(Math.round(rate))}
        about={texts.readingsPerSecond}
      />
    </section>
  );
}

function Figure(props: {
  label: string;
  value: string;
  about?: ReactNode;
  mark?: MarkName;
  tone?: string;
  href?: string;
}) {
  const inside = (
    <>
      <span>
        {props.mark && <Mark name={props.mark} />}
        {props.label}
      </span>
      <b className={`value-m ${props.tone ?? ""}`}>
        {props.value} {props.about && <small>{props.about}</small>}
      </b>
    </>
  );
  return props.href ? (
    <Link className="figure" href={props.href}>
      {inside}
    </Link>
  ) : (
    <div className="figure">{inside}</div>
  );
}

/** How whole the data was over the window; its floor is 90 % or what was lower. */
function CoverageLine({ page }: { page: CoveragePage | undefined }) {
  const shares = page?.coverage;
  if (!shares || shares.length < 2) return <svg className="coverage-line" aria-hidden="true" />;
  const floor = Math.min(0.9, ...shares);
  const points = shares.map((share, index) => {
    const x = (index / (shares.length - 1)) * 1000;
    const y = 84 - ((share - floor) / (1 - floor || 1)) * 70;
    return `${x.toFixed(0)} ${y.toFixed(1)}`;
  });
  return (
    <svg
      className="coverage-line"
      viewBox="0 0 1000 100"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <line x1="0" x2="1000" y1="99" y2="99" />
      <path d={`M${points.join("L")}`} />
    </svg>
  );
}

/** Readings that were accepted a second, between two looks at the counter. */
function useRate(): number | null {
  const before = useRef<{ accepted: number; at: number } | null>(null);
  const [rate, setRate] = useState<number | null>(null);
  const { data, dataUpdatedAt } = useQuery({
    queryKey: ["status"],
    queryFn: api.status,
    refetchInterval: rate === null ? FIRST_RATE_MS : RATE_MS,
  });
  useEffect(() => {
    if (!data) return;
    const accepted = data.stages.accepted;
    const at = Date.parse(data.asOf);
    const last = before.current;
    // A smaller count is of another process.
    if (last && at > last.at && accepted >= last.accepted)
      setRate(((accepted - last.accepted) * 1000) / (at - last.at));
    if (!last || at > last.at) before.current = { accepted, at };
  }, [data, dataUpdatedAt]);
  return rate;
}
