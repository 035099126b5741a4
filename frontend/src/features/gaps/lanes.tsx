"use client";

import { useQuery } from "@tanstack/react-query";
import { useMemo, type Ref } from "react";

import { api } from "@/api/client";
import type { AverageItem, GapItem, WindowName } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";

import { Lane } from "./lane";
import type { LaneGroup } from "./lanes-of";

const NONE: readonly GapItem[] = [];

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
          {group.ids.map((id) => (
            <Lane
              key={id}
              id={id}
              window={window}
              coverage={rows.get(id)?.coverage ?? null}
              gaps={found.isPending ? undefined : (bySensor.get(id) ?? NONE)}
              start={start}
              end={end}
              ticks={ticks.map(x)}
              chosen={chosen}
              onChoose={onChoose}
            />
          ))}
        </div>
      ))}
    </div>
  );
}
