"use client";

import { useRouter } from "next/navigation";
import { useMemo, useState } from "react";

import { useMonth } from "@/api/queries";
import type { AverageItem, WindowName } from "@/api/types";
import { Icon } from "@/components/icons";
import { useKeys } from "@/components/keys";
import { Mark, type MarkName } from "@/components/marks";
import { SensorTable } from "@/components/sensor-table/sensor-table";
import { ClearFilters, Nothing } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { averagesCsv } from "@/lib/averages-csv";
import { save } from "@/lib/save";
import {
  chosen,
  SORTS,
  sorted,
  type Filter,
  type Headline,
  type Sort,
  type SortKey,
} from "@/lib/shape";
import { compareLink, useView } from "@/lib/view";

const COMPARED_MAX = 8;
const NO_FILTER = { q: null, state: null, kind: null, location: null };

interface Props {
  items: readonly AverageItem[];
  figures: Headline;
  window: WindowName;
  busy: boolean;
  now: number;
}

/** What the address filters and sorts by. */
export function useListView() {
  const view = useView();
  return useMemo(() => {
    const state = view.get("state");
    const filter: Filter = {
      q: view.get("q"),
      state: (["silent", "late", "new", "ok", "gaps"] as const).find((one) => one === state) ?? "",
      kind: view.get("kind"),
      location: view.get("location"),
    };
    const key = view.get("sort");
    const sort: Sort = {
      key: SORTS.find((one) => one === key) ?? "attention",
      descending: view.get("order") === "desc",
    };
    return { view, filter, sort };
  }, [view]);
}

/** The table with its filters: chips with counts, sort, choice, CSV. All of it is in the address. */
export function SensorList({ items, figures, window, busy, now }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const router = useRouter();
  const { view, filter, sort } = useListView();
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const month = useMonth(items.length > 0);
  // The order follows what was fetched: a row does not run away from under the pointer.
  const shown = useMemo(() => sorted(chosen(items, filter), sort, now), [items, filter, sort, now]);
  const filters = [filter.q, filter.state, filter.kind, filter.location].filter(Boolean);
  const compare = () => {
    if (picked.size > 0) router.push(compareLink([...picked].slice(0, COMPARED_MAX), window));
  };
  useKeys({
    c: compare,
    Escape: () => {
      if (picked.size > 0) setPicked(new Set());
    },
  });
  const pick = (id: string) => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    setPicked(next);
  };
  const chips: { state: Filter["state"]; label: string; mark?: MarkName; count: number }[] = [
    { state: "", label: texts.all, count: figures.total },
    { state: "silent", label: texts.silent, mark: "silent", count: figures.silent },
    { state: "late", label: texts.late, mark: "late", count: figures.late },
    { state: "gaps", label: texts.withGaps, mark: "gaps", count: figures.gaps },
  ];
  const order: Partial<Record<SortKey, string>> = {
    attention: texts.needsAttention,
    equipmentId: texts.sensor,
    name: texts.measures,
    state: texts.state,
    lastValue: texts.last,
    mean: texts.mean,
    timeWeightedMean: texts.timeWeightedMean,
    min: texts.min,
    max: texts.max,
    coverage: texts.coverage,
    lastTimestamp: texts.lastSeen,
  };
  return (
    <section className="panel sensor-list" aria-label={texts.sensors}>
      <header className="row">
        <h2>{texts.sensors}</h2>
        <div className="chips" role="group" aria-label={texts.filter}>
          {chips.map((chip) => (
            <button
              key={chip.state}
              className="chip"
              aria-pressed={filter.state === chip.state}
              onClick={() => {
                view.change({ state: chip.state });
              }}
            >
              {chip.mark && <Mark name={chip.mark} />}
              {chip.label} {format.count(chip.count)}
            </button>
          ))}
          {(
            [
              ["q", filter.q],
              ["kind", filter.kind],
              ["location", filter.location],
            ] as const
          ).map(
            ([name, value]) =>
              value && (
                <button
                  key={name}
                  className="chip"
                  aria-pressed="true"
                  aria-label={fill(texts.removeFilter, { filter: value })}
                  onClick={() => {
                    view.change({ [name]: null });
                  }}
                >
                  {name === "q" ? `“${value}”` : value} <Icon name="close" />
                </button>
              ),
          )}
        </div>
        <span className="quiet push sorted">
          {filters.length > 0 &&
            `${format.count(shown.length)} / ${format.count(figures.total)} · `}
          {fill(texts.sortedBy, { order: order[sort.key] ?? "" })}
          {sort.key !== "attention" && (
            <button
              className="link"
              onClick={() => {
                view.change({ sort: null, order: null });
              }}
            >
              {texts.needsAttention}
            </button>
          )}
        </span>
        <button
          className="small"
          onClick={() => {
            save(averagesCsv(shown), `pipewatcher-${window}.csv`);
          }}
        >
          <Icon name="download" /> CSV
        </button>
      </header>
      {shown.length === 0 ? (
        <Nothing
          action={
            <ClearFilters
              count={filters.length}
              onClear={() => {
                view.change(NO_FILTER);
              }}
            />
          }
        >
          {texts.noMatch}
        </Nothing>
      ) : (
        <SensorTable
          items={shown}
          window={window}
          month={month}
          sort={sort}
          onSort={({ key, descending }) => {
            view.change({ sort: key, order: descending ? "desc" : null });
          }}
          picked={picked}
          onPick={pick}
          busy={busy}
        />
      )}
      {picked.size > 0 && (
        <div className="picked" role="status">
          <span>{fill(texts.pickedCount, { count: format.count(picked.size) })}</span>
          {picked.size > COMPARED_MAX && (
            <span className="warn">{fill(texts.pickedMax, { max: COMPARED_MAX })}</span>
          )}
          <button className="primary" onClick={compare}>
            <Icon name="chart" />
            {fill(texts.compareCount, {
              count: format.count(Math.min(picked.size, COMPARED_MAX)),
            })}
          </button>
          <button
            className="quietly"
            onClick={() => {
              setPicked(new Set());
            }}
          >
            {texts.clearChoice}
          </button>
        </div>
      )}
    </section>
  );
}
