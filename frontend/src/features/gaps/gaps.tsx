"use client";

import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ApiError } from "@/api/client";
import type { GapItem, GapState } from "@/api/types";
import { fill, useSpeech } from "@/i18n/language";
import type { Texts } from "@/i18n/en";
import { count, moment } from "@/lib/format";

const STATES: GapState[] = ["open", "requested", "partly_filled", "filled", "accepted"];

/** The gap ledger: what is missing, asked of the vendor, accepted or filled. */
export function Gaps() {
  const { texts, language } = useSpeech();
  const client = useQueryClient();
  const [state, setState] = useState<GapState | "">("");
  const [sensor, setSensor] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [told, setTold] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const pages = useInfiniteQuery({
    queryKey: ["gaps", state, sensor],
    queryFn: ({ pageParam }) => api.gaps(state, sensor, pageParam),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });
  const gaps = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const total = pages.data?.pages[0]?.total ?? null;
  const act = async (action: () => Promise<string | null>) => {
    setFault(null);
    setTold(null);
    try {
      setTold(await action());
    } catch (error) {
      setFault(error instanceof ApiError && error.message ? error.message : texts.unreachable);
    }
    await client.invalidateQueries({ queryKey: ["gaps"] });
  };
  const request = (ids: string[] | null) =>
    act(async () => {
      save(await api.requestGaps(ids));
      setChosen(new Set());
      return texts.requested;
    });
  return (
    <main>
      <div className="row">
        <h1>{texts.gaps}</h1>
        <span className="quiet">{total !== null && count(total, language)}</span>
        <input
          className="push"
          type="search"
          aria-label={texts.onlySensor}
          placeholder={texts.onlySensor}
          value={sensor}
          onChange={(event) => {
            setSensor(event.target.value.trim());
          }}
        />
        <select
          aria-label={texts.state}
          value={state}
          onChange={(event) => {
            setState(event.target.value as GapState | "");
          }}
        >
          <option value="">{texts.everyState}</option>
          {STATES.map((one) => (
            <option key={one} value={one}>
              {wordOf(one, texts)}
            </option>
          ))}
        </select>
        <button
          onClick={() => {
            void request(chosen.size > 0 ? [...chosen] : null);
          }}
        >
          {chosen.size > 0
            ? fill(texts.requestChosen, { count: count(chosen.size, language) })
            : texts.requestAll}
        </button>
      </div>
      <p className="quiet">{texts.gapsHelp}</p>
      {told && <p role="status">{told}</p>}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      {pages.isError && (
        <section className="panel" role="alert">
          <p className="error">{texts.failed}</p>
          <button onClick={() => void pages.refetch()}>{texts.again}</button>
        </section>
      )}
      {pages.isPending && <p role="status">{texts.loading}</p>}
      {pages.data && gaps.length === 0 && (
        <p className="quiet">{state || sensor ? texts.noGapMatches : texts.noGaps}</p>
      )}
      {gaps.length > 0 && (
        <section className="panel" aria-label={texts.gaps}>
          <GapTable
            gaps={gaps}
            chosen={chosen}
            onChoose={(id) => {
              const next = new Set(chosen);
              if (!next.delete(id)) next.add(id);
              setChosen(next);
            }}
            onChange={(id, wanted) =>
              void act(async () => {
                await api.changeGap(id, { state: wanted });
                return null;
              })
            }
          />
          {pages.hasNextPage && (
            <button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
              {texts.older}
            </button>
          )}
        </section>
      )}
    </main>
  );
}

interface TableProps {
  gaps: GapItem[];
  chosen: ReadonlySet<string>;
  onChoose: (id: string) => void;
  onChange: (id: string, state: "open" | "accepted") => void;
}

function GapTable({ gaps, chosen, onChoose, onChange }: TableProps) {
  const { texts, language } = useSpeech();
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th aria-label={texts.choose} />
            <th>{texts.sensor}</th>
            <th>{texts.after}</th>
            <th>{texts.before}</th>
            <th className="num">{texts.missing}</th>
            <th>{texts.state}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {gaps.map((gap) => (
            <tr key={gap.id}>
              <td>
                {gap.state !== "filled" && (
                  <input
                    type="checkbox"
                    aria-label={`${texts.choose} ${gap.equipmentId}`}
                    checked={chosen.has(gap.id)}
                    onChange={() => {
                      onChoose(gap.id);
                    }}
                  />
                )}
              </td>
              <td>{gap.equipmentId}</td>
              <td>{moment(gap.start, language)}</td>
              <td>{gap.end === null ? texts.goesOn : moment(gap.end, language)}</td>
              <td className="num">{count(gap.expected, language)}</td>
              <td title={gap.changedBy ?? undefined}>
                {wordOf(gap.state, texts)} <span className="quiet">{gap.closedBy.join(", ")}</span>
              </td>
              <td>
                {gap.state !== "filled" && (
                  <button
                    className="link"
                    onClick={() => {
                      onChange(gap.id, gap.state === "accepted" ? "open" : "accepted");
                    }}
                  >
                    {gap.state === "accepted" ? texts.reopen : texts.accept}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function wordOf(state: GapState, texts: Texts): string {
  return {
    open: texts.gapOpen,
    requested: texts.gapRequested,
    partly_filled: texts.gapPartlyFilled,
    filled: texts.gapFilled,
    accepted: texts.gapAccepted,
  }[state];
}

function save(file: Blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "gaps-requested.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}
