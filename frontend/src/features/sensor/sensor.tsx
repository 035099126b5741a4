"use client";

import { useQuery } from "@tanstack/react-query";
import type { ECharts } from "echarts/core";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useCallback, useEffect, useMemo, useState } from "react";

import { api, ApiError } from "@/api/client";
import { useAverageOf, useMayOperate } from "@/api/queries";
import { WINDOW_MS, WINDOWS, type WindowName } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Icon } from "@/components/icons";
import { useKeys } from "@/components/keys";
import { LetterButton } from "@/components/letter-button";
import { Failure, NotThere, Nothing } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { compareLink, useView } from "@/lib/view";

import { ChartPanel } from "./chart-panel";
import { EditSensor } from "./edit-sensor";
import { Facts, WindowFacts } from "./facts";
import { GapRows } from "./gap-rows";
import { SensorHead } from "./sensor-head";
import type { Zoom } from "./line-chart";
import { Means } from "./means";
import { useLine } from "./use-sensor";
import { useRequest } from "./use-request";

/** What did it do, and can I trust the mean? */
export function Sensor() {
  const { texts } = useSpeech();
  const view = useView();
  const id = view.get("id");
  if (!id)
    return (
      <main>
        <section className="panel">
          <Nothing action={<Link href="/sensors">{texts.sensors}</Link>}>
            {texts.noSensorGiven}
          </Nothing>
        </section>
      </main>
    );
  return <Known key={id} id={id} />;
}

const ZOOM_SETTLE_MS = 250;

function useZoom() {
  const view = useView();
  const asked = useMemo<Zoom | null>(() => {
    const [from, to] = [Date.parse(view.get("from")), Date.parse(view.get("to"))];
    return from < to ? { from, to } : null;
  }, [view]);
  const [zoom, setZoom] = useState(asked);
  // The address follows when the hand has come to rest.
  useEffect(() => {
    const timer = setTimeout(() => {
      const text = (at: number | undefined) =>
        at === undefined ? null : new Date(Math.round(at / 1000) * 1000).toISOString();
      const values = { from: text(zoom?.from), to: text(zoom?.to) };
      if (view.get("from") !== (values.from ?? "") || view.get("to") !== (values.to ?? ""))
        view.change(values);
    }, ZOOM_SETTLE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [zoom, view]);
  return { zoom, setZoom, settled: asked };
}

function Known({ id }: { id: string }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const view = useView();
  const router = useRouter();
  const mayOperate = useMayOperate();
  const window = view.window;
  const { zoom, setZoom, settled } = useZoom();
  const [chart, setChart] = useState<ECharts | null>(null);
  const [editing, setEditing] = useState(false);
  const sensor = useQuery({
    queryKey: ["sensor", id],
    queryFn: () => api.sensor(id),
    placeholderData: undefined,
  });
  const { item, end } = useAverageOf(id, window);
  const line = useLine(id, window, settled);
  const page = line.whole.data;
  const ledger = useQuery({
    queryKey: ["gaps", "of", id, window],
    queryFn: () =>
      api.gaps({
        equipmentId: [id],
        start: new Date(Date.now() - WINDOW_MS[window]).toISOString(),
        limit: 500,
      }),
    refetchInterval: 30_000,
    retry: false,
    placeholderData: (previous) => previous,
  });
  // Not every engine knows cadences.
  const gapsAreKnown = !(ledger.error instanceof ApiError && ledger.error.code === "not_possible");
  const gaps = ledger.data?.items ?? [];
  const open = gaps.filter((gap) => gap.state === "open").map((gap) => gap.id);
  const { request, letter, fault } = useRequest();
  const requestOpen = () => {
    if (open.length > 0 && mayOperate) void request(open);
  };
  const setWindow = useCallback(
    (name: WindowName) => {
      setZoom(null);
      view.change({ window: name === "24h" ? null : name, from: null, to: null });
    },
    [view, setZoom],
  );
  const compare = () => {
    router.push(compareLink([id], window));
  };
  useKeys({
    ...Object.fromEntries(
      WINDOWS.map((name, index) => [
        String(index + 1),
        () => {
          setWindow(name);
        },
      ]),
    ),
    c: compare,
    r: requestOpen,
  });
  const registered = sensor.data;
  const unit = registered?.unit ?? item?.unit ?? null;
  const unknown = sensor.isError && page && line.points.length === 0;
  if (unknown)
    return (
      <main>
        <section className="panel">
          <Failure
            error={sensor.error}
            what={fill(texts.noSuchSensor, { id })}
            onAgain={() => void sensor.refetch()}
          />
        </section>
      </main>
    );
  return (
    <main className="sensor">
      <SensorHead
        id={id}
        item={item}
        sensor={registered}
        window={window}
        onWindow={setWindow}
        onCompare={compare}
        chart={chart}
        points={line.points}
        page={page}
      />
      <div className="with-side">
        <div className="stack">
          <ChartPanel
            id={id}
            unit={unit}
            window={window}
            line={line}
            item={item}
            ledger={gaps}
            zoom={zoom}
            onZoom={setZoom}
            onChart={setChart}
            onWindow={setWindow}
          />
          {ledger.isError && !ledger.data ? (
            gapsAreKnown && (
              <section className="panel" aria-label={texts.gaps}>
                <NotThere asked={ledger} />
              </section>
            )
          ) : (
            <GapRows
              gaps={ledger.data?.items}
              window={window}
              now={end === undefined ? Date.now() : Date.parse(end)}
              mayOperate={mayOperate}
              onRequest={(ids) => void request(ids)}
            />
          )}
        </div>
        <aside className="panel side-panel">
          <Means id={id} window={window} unit={unit} onWindow={setWindow} />
          {registered && <Facts sensor={registered} />}
          <WindowFacts item={item} points={line.overall} unit={unit} />
          <div className="side-actions">
            {letter && (
              <>
                <p role="status">{texts.requested}</p>
                <LetterButton letter={letter} />
              </>
            )}
            {fault && (
              <p className="error" role="alert">
                {fault}
              </p>
            )}
            {mayOperate && open.length > 0 && (
              <button className="primary wide" onClick={requestOpen}>
                <Icon name="send" />
                {open.length === 1
                  ? texts.requestOpenGap
                  : fill(texts.requestOpenGaps, { count: format.count(open.length) })}
              </button>
            )}
            {mayOperate && (
              <>
                <Link className="button" href="/imports">
                  <Icon name="upload" /> {texts.importFile}
                </Link>
                <button
                  disabled={!registered}
                  onClick={() => {
                    setEditing(true);
                  }}
                >
                  <Icon name="pencil" /> {texts.edit}
                </button>
              </>
            )}
            <CopyButton
              label={texts.apiLink}
              text={`${globalThis.location.origin}/api/v1/averages?${new URLSearchParams({ window, q: id }).toString()}`}
            />
          </div>
        </aside>
      </div>
      {editing && registered && (
        <EditSensor
          sensor={registered}
          onClose={() => {
            setEditing(false);
          }}
        />
      )}
    </main>
  );
}
