"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { api } from "@/api/client";
import { useRegistered } from "@/api/queries";
import { WINDOW_MS, type GapItem, type WindowName } from "@/api/types";
import { CsvButton } from "@/components/csv-button";
import { GapCause } from "@/components/gap-cause";
import { GapStateMark } from "@/components/marks";
import { Skeleton } from "@/components/states";
import { useFormat, useSpeech } from "@/i18n/language";

interface Props {
  /** Undefined while they are on their way. */
  gaps: readonly GapItem[] | undefined;
  window: WindowName;
  now: number;
  mayOperate: boolean;
  onRequest: (ids: string[]) => void;
}

/** What is missing of this sensor in this window, why, and who owes it. */
export function GapRows({ gaps, window, now, mayOperate, onRequest }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const registered = useRegistered();
  const incidents = useQuery({
    queryKey: ["gaps", "incidents", "all", window],
    queryFn: () => api.incidents(new Date(Date.now() - WINDOW_MS[window]).toISOString(), 1_000),
    staleTime: 60_000,
    enabled: gaps !== undefined && gaps.length > 0,
    retry: false,
  });
  const sources = new Map(registered.data?.items.map((one) => [one.equipmentId, one.source]));
  if (gaps === undefined || gaps.length === 0)
    return (
      <section className="panel" aria-label={texts.gaps}>
        {gaps === undefined ? <Skeleton lines={1} /> : <p className="quiet">{texts.noGapsHere}</p>}
      </section>
    );
  return (
    <section className="panel flush gap-rows" aria-label={texts.gaps}>
      <header className="row">
        <h2>{texts.gaps}</h2>
        <CsvButton
          name="gaps"
          header={["id", "equipmentId", "start", "end", "expected", "state"]}
          rows={() =>
            gaps.map((gap) => [
              gap.id,
              gap.equipmentId,
              gap.start,
              gap.end,
              gap.expected,
              gap.state,
            ])
          }
        />
      </header>
      <div className="scroll" tabIndex={0} role="region" aria-label={texts.gapList}>
        <table>
          <thead>
            <tr>
              <th>{texts.gap}</th>
              <th className="num">{texts.duration}</th>
              <th className="num">{texts.missingReadings}</th>
              <th>{texts.likelyCause}</th>
              <th>{texts.state}</th>
              <th>
                <span className="visually-hidden">{texts.action}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {gaps.map((gap) => {
              const end = gap.end ?? new Date(now).toISOString();
              return (
                <tr key={gap.id}>
                  <td className="strong">{format.span(gap.start, end)}</td>
                  <td className="num">
                    {format.duration((Date.parse(end) - Date.parse(gap.start)) / 1000)}
                  </td>
                  <td className="num">{format.count(gap.expected)}</td>
                  <td>
                    <GapCause
                      gap={gap}
                      incidents={incidents.data?.items ?? []}
                      sourceOf={(id) => sources.get(id) ?? null}
                    />
                  </td>
                  <td>
                    <GapStateMark state={gap.state} silent={gap.end === null} />
                  </td>
                  <td className="num">
                    {gap.state === "open" && mayOperate ? (
                      <button
                        className="link"
                        onClick={() => {
                          onRequest([gap.id]);
                        }}
                      >
                        {texts.requestFromVendor}
                      </button>
                    ) : (
                      <Link href={`/gaps?sensor=${encodeURIComponent(gap.equipmentId)}`}>
                        {texts.view}
                      </Link>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
