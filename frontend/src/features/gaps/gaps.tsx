"use client";

import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";

import { api } from "@/api/client";
import { useAverages, useMayOperate } from "@/api/queries";
import {
  WINDOW_MS,
  WINDOWS,
  type GapItem,
  type GapLetter,
  type GapState,
  type WindowName,
} from "@/api/types";
import { reasonOf } from "@/components/fault";
import { Icon } from "@/components/icons";
import { useKeys } from "@/components/keys";
import { saveList } from "@/components/letter-button";
import { Mark, type MarkName } from "@/components/marks";
import { PageHead } from "@/components/page-head";
import { ClearFilters, Failure, Nothing, Skeleton } from "@/components/states";
import { WindowSwitch } from "@/components/window-switch";
import { useFormat, useSpeech } from "@/i18n/language";
import { token } from "@/lib/colours";
import { pictureOf } from "@/lib/picture";
import { png, save } from "@/lib/save";
import { useView } from "@/lib/view";

import { GapTable } from "./gap-table";
import { Lanes } from "./lanes";
import { lanesOf } from "./lanes-of";
import { RequestPanel } from "./request-panel";

const STATES: GapState[] = ["open", "requested", "partly_filled", "filled", "accepted"];
const MARKS: Record<GapState, MarkName> = {
  open: "gaps",
  requested: "requested",
  partly_filled: "gaps",
  filled: "imported",
  accepted: "lost",
};

/** By this browser's clock: nothing on this screen waits for the means to be asked for. */
const startOf = (window: WindowName) => new Date(Date.now() - WINDOW_MS[window]).toISOString();

/** What is missing, is it one cause, and who owes it? */
export function Gaps() {
  const { texts, language } = useSpeech();
  const format = useFormat();
  const client = useQueryClient();
  const view = useView();
  const window = view.window;
  const mayOperate = useMayOperate();
  const asked = view.get("state");
  const state = STATES.find((one) => one === asked) ?? "";
  const sensor = view.get("sensor");
  const [chosen, setChosen] = useState<ReadonlyMap<string, GapItem>>(new Map());
  const [letter, setLetter] = useState<GapLetter | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const lanes = useRef<HTMLDivElement>(null);
  const averages = useAverages(window);
  const page = averages.data;
  const rows = useMemo(() => new Map(page?.items.map((item) => [item.equipmentId, item])), [page]);
  const sourceOf = (id: string) => rows.get(id)?.source ?? null;
  const list = useInfiniteQuery({
    queryKey: ["gaps", "list", window, state, sensor],
    queryFn: ({ pageParam }) =>
      api.gaps({
        state,
        equipmentId: sensor ? [sensor] : [],
        start: startOf(window),
        cursor: pageParam,
      }),
    initialPageParam: "",
    getNextPageParam: (found) => found.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
    retry: false,
  });
  const counts = useQuery({
    queryKey: ["gaps", "counts", window],
    queryFn: async () => {
      const start = startOf(window);
      const pages = await Promise.all(
        STATES.map((one) => api.gaps({ state: one, start, limit: one === "requested" ? 500 : 1 })),
      );
      return {
        totals: Object.fromEntries(
          STATES.map((one, index) => [one, pages[index]?.total ?? 0]),
        ) as Record<GapState, number>,
        requested: pages[1]?.items ?? [],
      };
    },
    refetchInterval: 30_000,
    retry: false,
  });
  const incidents = useQuery({
    queryKey: ["gaps", "incidents", window],
    queryFn: () => api.incidents(startOf(window)),
    retry: false,
  });
  const gaps = useMemo(() => list.data?.pages.flatMap((one) => one.items) ?? [], [list.data]);
  const end = page ? Date.parse(page.end) : Date.now();
  const groups = useMemo(
    () => lanesOf(incidents.data?.items ?? [], gaps, (id) => rows.get(id)?.source ?? null, end),
    [incidents.data, gaps, rows, end],
  );
  const missing = (page?.items ?? []).reduce(
    (sum, item) => sum + Math.max(0, (item.expected ?? 0) - item.count),
    0,
  );
  const choose = (gap: GapItem) => {
    const next = new Map(chosen);
    if (!next.delete(gap.id)) next.set(gap.id, gap);
    setChosen(next);
  };
  const act = async (action: () => Promise<GapLetter | null>) => {
    setBusy(true);
    setFault(null);
    setLetter(null);
    try {
      setLetter(await action());
      setChosen(new Map());
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    setBusy(false);
    await client.invalidateQueries({ queryKey: ["gaps"] });
  };
  const request = (ids: string[]) =>
    void act(async () => {
      const asked = await api.requestGaps(ids, language);
      saveList(asked);
      return asked;
    });
  const mark = (ids: string[], wanted: "open" | "accepted") =>
    void act(async () => {
      for (const id of ids) await api.changeGap(id, { state: wanted });
      return null;
    });
  useKeys({
    ...Object.fromEntries(
      WINDOWS.map((name, index) => [
        String(index + 1),
        () => {
          view.setWindow(name);
        },
      ]),
    ),
    r: () => {
      if (chosen.size > 0 && mayOperate) request([...chosen.keys()]);
    },
  });
  const words: Record<GapState, string> = {
    open: texts.gapOpen,
    requested: texts.gapRequested,
    partly_filled: texts.gapPartlyFilled,
    filled: texts.gapFilled,
    accepted: texts.gapAccepted,
  };
  const totals = counts.data?.totals;
  const all = totals ? STATES.reduce((sum, one) => sum + totals[one], 0) : null;
  // The lanes stand above the list: it waits for them, so that it need not move down.
  const waits = averages.isPending || list.isPending || incidents.isPending;
  const failure = list.error ?? averages.error;
  return (
    <main className="gaps">
      <PageHead title={texts.gaps} about={page && format.span(page.start, page.end)}>
        <input
          type="search"
          aria-label={texts.onlySensor}
          placeholder={texts.onlySensor}
          value={sensor}
          onChange={(event) => {
            view.change({ sensor: event.target.value.trim() });
          }}
        />
        <WindowSwitch value={window} onChange={view.setWindow} />
        <button
          onClick={() => {
            void api.gapsCsv(startOf(window)).then((file) => {
              save(file, `gaps-${window}.csv`);
            });
          }}
        >
          <Icon name="download" /> CSV
        </button>
      </PageHead>
      <div className="with-side">
        <div className="stack">
          {waits && (
            <section className="panel waits-lanes">
              <Skeleton lines={12} />
            </section>
          )}
          {!waits && groups.length > 0 && page && (
            <section className="panel" aria-label={texts.whenMissing}>
              <header className="row">
                <h2>{texts.whenMissing}</h2>
                <ul className="legend push">
                  <li>
                    <i className="piece-key open" />
                    {texts.gapOpen}
                  </li>
                  <li>
                    <i className="piece-key requested" />
                    {texts.gapRequested}
                  </li>
                  <li>
                    <i className="piece-key filled" />
                    {texts.filledByImport}
                  </li>
                  <li>
                    <Mark name="lost" />
                    {texts.gapAccepted}
                  </li>
                </ul>
                <button
                  className="small icon-only"
                  aria-label={`${texts.whenMissing}: PNG`}
                  title="PNG"
                  onClick={() => {
                    if (lanes.current)
                      void png(pictureOf(lanes.current), token("--bg1")).then((file) => {
                        save(file, `gaps-${window}.png`);
                      });
                  }}
                >
                  <Icon name="picture" />
                </button>
              </header>
              <Lanes
                ref={lanes}
                groups={groups}
                rows={rows}
                window={window}
                start={Date.parse(page.start)}
                end={end}
                chosen={new Set(chosen.keys())}
                onChoose={choose}
              />
            </section>
          )}
          {!waits && (
            <section className="panel flush" aria-label={texts.gaps}>
              <header className="chips" role="group" aria-label={texts.state}>
                <button
                  className="chip"
                  aria-pressed={state === ""}
                  onClick={() => {
                    view.change({ state: null });
                  }}
                >
                  {texts.all} {format.count(all)}
                </button>
                {STATES.map((one) => (
                  <button
                    key={one}
                    className="chip"
                    aria-pressed={state === one}
                    onClick={() => {
                      view.change({ state: one });
                    }}
                  >
                    <Mark name={MARKS[one]} />
                    {words[one]} {format.count(totals?.[one] ?? null)}
                  </button>
                ))}
              </header>
              {failure && gaps.length === 0 && (
                <Failure error={failure} onAgain={() => void list.refetch()} />
              )}
              {list.data && gaps.length === 0 && (
                <Nothing
                  action={
                    (state || sensor) && (
                      <ClearFilters
                        count={Number(state !== "") + Number(sensor !== "")}
                        onClear={() => {
                          view.change({ state: null, sensor: null });
                        }}
                      />
                    )
                  }
                >
                  {state || sensor ? texts.noGapMatches : texts.noGaps}
                </Nothing>
              )}
              {gaps.length > 0 && (
                <div
                  className="scroll gap-scroll"
                  tabIndex={0}
                  role="region"
                  aria-label={texts.gapList}
                >
                  <GapTable
                    gaps={gaps}
                    incidents={incidents.data?.items ?? []}
                    sourceOf={sourceOf}
                    chosen={new Set(chosen.keys())}
                    now={end}
                    mayOperate={mayOperate}
                    onChoose={choose}
                    onRequest={(gap) => {
                      request([gap.id]);
                    }}
                    onState={(gap, wanted) => {
                      mark([gap.id], wanted);
                    }}
                  />
                  {list.hasNextPage && (
                    <button
                      className="older"
                      disabled={list.isFetchingNextPage}
                      onClick={() => void list.fetchNextPage()}
                    >
                      {texts.older}
                    </button>
                  )}
                </div>
              )}
            </section>
          )}
        </div>
        <RequestPanel
          open={totals?.open ?? null}
          missing={missing}
          chosen={[...chosen.values()]}
          requested={counts.data?.requested ?? []}
          mayOperate={mayOperate}
          busy={busy}
          letter={letter}
          fault={fault}
          onRequest={() => {
            request([...chosen.keys()]);
          }}
          onLost={() => {
            mark([...chosen.keys()], "accepted");
          }}
        />
      </div>
    </main>
  );
}
