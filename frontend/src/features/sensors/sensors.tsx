"use client";

import { useMemo } from "react";

import { useAverages, useWithLiveStates } from "@/api/queries";
import { WINDOWS, type AverageItem } from "@/api/types";
import { useKeys } from "@/components/keys";
import { PageHead } from "@/components/page-head";
import { SensorList, useListView } from "@/components/sensor-list";
import { Failure, Skeleton } from "@/components/states";
import { WindowSwitch } from "@/components/window-switch";
import { useFormat, useSpeech } from "@/i18n/language";
import { headline, valuesOf } from "@/lib/shape";

const NOTHING: readonly AverageItem[] = [];

/** Every sensor, narrowed down by what it is and where it stands. */
export function Sensors() {
  const { texts } = useSpeech();
  const format = useFormat();
  const { view, filter } = useListView();
  const averages = useAverages(view.window);
  const page = averages.data;
  const items = useWithLiveStates(page?.items ?? NOTHING);
  const asOf = page ? Date.parse(page.end) : 0;
  const figures = useMemo(() => headline(items, asOf), [items, asOf]);
  const kinds = useMemo(() => valuesOf(items, "kind").filter((one) => one.value), [items]);
  const places = useMemo(() => valuesOf(items, "location").filter((one) => one.value), [items]);
  useKeys(
    Object.fromEntries(
      WINDOWS.map((name, index) => [
        String(index + 1),
        () => {
          view.setWindow(name);
        },
      ]),
    ),
  );
  const select = (name: "kind" | "location", label: string, values: typeof kinds) => (
    <select
      aria-label={label}
      value={filter[name]}
      onChange={(event) => {
        view.change({ [name]: event.target.value });
      }}
    >
      <option value="">{label}</option>
      {values.map((one) => (
        <option key={one.value} value={one.value}>
          {one.value} ({format.count(one.count)})
        </option>
      ))}
    </select>
  );
  return (
    <main className="screen-sensors">
      <PageHead
        title={texts.sensors}
        about={page && `${format.minute(page.start)} → ${format.minute(page.end)}`}
      >
        <input
          type="search"
          aria-label={texts.narrow}
          placeholder={texts.narrow}
          value={filter.q}
          onChange={(event) => {
            view.change({ q: event.target.value });
          }}
        />
        {select("kind", texts.kind, kinds)}
        {select("location", texts.location, places)}
        <WindowSwitch value={view.window} onChange={view.setWindow} />
      </PageHead>
      {averages.isError && !page && (
        <section className="panel">
          <Failure error={averages.error} onAgain={() => void averages.refetch()} />
        </section>
      )}
      {averages.isPending && (
        <section className="panel">
          <Skeleton lines={14} />
        </section>
      )}
      {page && (
        <SensorList
          items={items}
          figures={figures}
          window={view.window}
          busy={averages.isPlaceholderData}
          now={asOf}
        />
      )}
    </main>
  );
}
