"use client";

import { useRouter } from "next/navigation";
import { useMemo } from "react";

import { useAverages, useWithLiveStates } from "@/api/queries";
import type { AverageItem } from "@/api/types";
import { useKeys } from "@/components/keys";
import { PageHead } from "@/components/page-head";
import { SensorList } from "@/components/sensor-list";
import { Failure, Skeleton } from "@/components/states";
import { WindowSwitch } from "@/components/window-switch";
import { useFormat, useSpeech } from "@/i18n/language";
import { headline } from "@/lib/shape";
import { compareLink, useView } from "@/lib/view";
import { WINDOWS } from "@/api/types";

import { Empty } from "./empty";
import { HeadlineStrip } from "./headline-strip";
import { ByLocation, NewestSilences } from "./phone";
import { PlantMap } from "./plant-map";
import { SharedGap, useIncidents } from "./shared-gap";

const NOTHING: readonly AverageItem[] = [];

/** Is the plant's data whole, and where not? */
export function Overview() {
  const { texts } = useSpeech();
  const format = useFormat();
  const view = useView();
  const router = useRouter();
  const window = view.window;
  const averages = useAverages(window);
  const page = averages.data;
  const incidents = useIncidents(window).data;
  const items = useWithLiveStates(page?.items ?? NOTHING);
  const asOf = page ? Date.parse(page.end) : 0;
  const figures = useMemo(() => headline(items, asOf), [items, asOf]);
  // While another window is on its way, the last one stays and says so.
  const busy = averages.isPlaceholderData;
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
  if (page && items.length === 0)
    return (
      <main>
        <h1 className="visually-hidden">{texts.overview}</h1>
        <Empty />
      </main>
    );
  return (
    <main className="overview">
      <PageHead
        title={texts.overview}
        about={page && `${format.minute(page.start)} → ${format.minute(page.end)}`}
      >
        {page && <SharedGap window={window} incidents={incidents} items={items} />}
        <WindowSwitch value={window} onChange={view.setWindow} />
      </PageHead>
      {averages.isError && !page && (
        <section className="panel">
          <Failure error={averages.error} onAgain={() => void averages.refetch()} />
        </section>
      )}
      {averages.isPending && (
        <>
          <section className="panel waits-strip" />
          <section className="panel waits-map">
            <Skeleton lines={8} />
          </section>
          <section className="panel">
            <Skeleton lines={10} />
          </section>
        </>
      )}
      {page && (
        <div className="stack dims" aria-busy={busy}>
          <HeadlineStrip figures={figures} window={window} />
          <NewestSilences items={items} window={window} />
          <ByLocation items={items} />
          <PlantMap
            items={items}
            window={window}
            asOf={asOf}
            onPick={(id) => {
              router.push(compareLink([id], window));
            }}
          />
          <SensorList items={items} figures={figures} window={window} busy={false} now={asOf} />
        </div>
      )}
    </main>
  );
}
