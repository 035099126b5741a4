"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { api } from "@/api/client";
import { useRegistered } from "@/api/queries";
import type { GapItem } from "@/api/types";
import { GapCause } from "@/components/gap-cause";
import { GapStateMark } from "@/components/marks";
import { useFormat, useSpeech } from "@/i18n/language";

interface Props {
  gaps: readonly GapItem[];
  start: string;
  now: number;
  mayOperate: boolean;
  onRequest: (ids: string[]) => void;
}

/** What is missing of this sensor in this window, why, and who owes it. */
export function GapRows({ gaps, start, now, mayOperate, onRequest }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const registered = useRegistered();
  const incidents = useQuery({
    queryKey: ["gaps", "incidents", "of", start.slice(0, 13)],
    queryFn: () => api.incidents(start, 1_000),
    staleTime: 60_000,
    retry: false,
  });
  const sources = new Map(registered.data?.items.map((one) => [one.equipmentId, one.source]));
  if (gaps.length === 0)
    return (
      <section className="panel" aria-label={texts.gaps}>
        <p className="quiet">{texts.noGapsHere}</p>
      </section>
    );
  return (
    <section className="panel flush scroll" aria-label={texts.gaps} tabIndex={0}>
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
    </section>
  );
}
