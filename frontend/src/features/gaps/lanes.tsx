"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useMemo, type Ref } from "react";

import { api } from "@/api/client";
import type { AverageItem, GapItem, WindowName } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { sensorLink } from "@/lib/view";

import type { LaneGroup } from "./lanes-of";

interface Props {
  ref: Ref<HTMLDivElement>;
  groups: readonly LaneGroup[];
  rows: ReadonlyMap<string, AverageItem>;
  window: WindowName;
  start: number;
  end: number;
  chosen: ReadonlySet<string>;
  onChoose: (gap: GapItem) => void;
}

/** When data is missing: rails of the sensors that tell most, grouped by what they share. */
export function Lanes({ ref, groups, rows, window, start, end, chosen, onChoose }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const ids = groups.flatMap((group) => group.ids);
  const found = useQuery({
    queryKey: ["gaps", "lanes", window, ...ids],
    queryFn: () =>
      api.gaps({
        equipmentId: ids,
        start: new Date(start).toISOString(),
        limit: 2_000,
      }),
    enabled: ids.length > 0,
    retry: false,
  });
  const bySensor = useMemo(() => {
    const gaps = new Map<string, GapItem[]>();
    for (const gap of found.data?.items ?? []) {
      const group = gaps.get(gap.equipmentId);
      if (group) group.push(gap);
      else gaps.set(gap.equipmentId, [gap]);
    }
    return gaps;
  }, [found.data]);
  const ticks = format.ticks(start, end, 7);
  const x = (time: number) => ((time - start) / (end - start)) * 100;
  return (
    <div className="lanes" ref={ref}>
      <div className="lane-ticks" aria-hidden="true">
        {ticks.map((tick) => {
          const { text, bold } = format.tickText(tick);
          return (
            <span
              key={tick}
              className={bold ? "strong" : undefined}
              style={{ left: `${String(x(tick))}%` }}
            >
              {text}
            </span>
          );
        })}
      </div>
      {groups.map((group) => (
        <div key={group.incident?.start ?? "alone"} className="lane-group">
          <h3>
            {group.incident === null
              ? fill(texts.singleSensors, { count: format.count(group.sensors) })
              : fill(group.source ? texts.gatewayShares : texts.sensorsShare, {
                  source: group.source ?? "",
                  count: format.count(group.sensors),
                })}
          </h3>
          {group.ids.map((id) => {
            const share = rows.get(id)?.coverage ?? null;
            return (
              <div key={id} className="lane">
                <Link href={sensorLink(id, window)}>{id}</Link>
                <div className="lane-track">
                  {ticks.map((tick) => (
                    <i key={tick} className="lane-tick" style={{ left: `${String(x(tick))}%` }} />
                  ))}
                  <i className="lane-rail" />
                  {(bySensor.get(id) ?? []).map((gap) => (
                    <Piece
                      key={gap.id}
                      gap={gap}
                      left={Math.max(0, x(Date.parse(gap.start)))}
                      right={Math.min(100, gap.end === null ? 100 : x(Date.parse(gap.end)))}
                      chosen={chosen.has(gap.id)}
                      onChoose={onChoose}
                      end={end}
                    />
                  ))}
                </div>
                <span className={share !== null && share < 0.95 ? "num warn" : "num"}>
                  {format.percent(share)}
                </span>
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}

const LABELLED = 6;

function Piece(props: {
  gap: GapItem;
  left: number;
  right: number;
  chosen: boolean;
  end: number;
  onChoose: (gap: GapItem) => void;
}) {
  const { gap, left, right, end } = props;
  const { texts } = useSpeech();
  const format = useFormat();
  const wide = right - left;
  const seconds = ((gap.end === null ? end : Date.parse(gap.end)) - Date.parse(gap.start)) / 1000;
  const words = {
    open: texts.gapOpen,
    requested: texts.gapRequested,
    partly_filled: texts.gapPartlyFilled,
    filled: texts.gapFilled,
    accepted: texts.gapAccepted,
  };
  const label = `${gap.equipmentId}, ${format.span(gap.start, gap.end ?? end)}, ${words[gap.state]}`;
  return (
    <button
      className={`piece ${gap.state}${gap.end === null ? " goes-on" : ""}`}
      aria-pressed={props.chosen}
      aria-label={label}
      title={label}
      style={{ left: `${String(left)}%`, width: `max(4px, ${String(wide)}%)` }}
      onClick={() => {
        props.onChoose(gap);
      }}
    >
      {gap.state === "accepted" && wide > 2 ? "×" : wide > LABELLED && format.duration(seconds)}
      {gap.state === "requested" && wide > LABELLED && " →"}
    </button>
  );
}
