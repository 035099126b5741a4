"use client";

import { useMemo, useRef, useState } from "react";

import { useMonth } from "@/api/queries";
import type { AverageItem, WindowName } from "@/api/types";
import { Icon } from "@/components/icons";
import { useListView } from "@/components/sensor-list";
import { Switch } from "@/components/switch";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { token } from "@/lib/colours";
import { pictureOf } from "@/lib/picture";
import { png, save } from "@/lib/save";
import { chosen } from "@/lib/shape";
import { COLOUR_BY, tintsOf, type ColourBy } from "@/lib/tints";

import { Distribution, spreadCsv, spreadOf } from "./distribution";
import { HeatLegend } from "./heat-legend";
import { HeatMap } from "./heat-map";

interface Props {
  items: readonly AverageItem[];
  window: WindowName;
  asOf: number;
  onPick: (id: string) => void;
}

/** All sensors in one picture: where data is missing, or how the means are spread. */
export function PlantMap({ items, window, asOf, onPick }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const { view, filter } = useListView();
  const spread = view.get("view") === "means";
  const asked = view.get("colour");
  const by: ColourBy = COLOUR_BY.find((one) => one === asked) ?? "coverage";
  const month = useMonth(by === "deviation");
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const [keep] = useState(() => (found: HTMLCanvasElement | null) => {
    canvas.current = found;
  });
  const tints = useMemo(() => tintsOf(items, by, month, asOf), [items, by, month, asOf]);
  const filtered = filter.q || filter.state || filter.kind || filter.location;
  const shown = useMemo(
    () => (filtered ? new Set(chosen(items, filter).map((item) => item.equipmentId)) : null),
    [items, filter, filtered],
  );
  const bars = useRef<HTMLDivElement | null>(null);
  const spreads = useMemo(
    () =>
      spread ? spreadOf(shown ? items.filter((one) => shown.has(one.equipmentId)) : items) : [],
    [spread, items, shown],
  );
  const picture = () => {
    const drawn = spread ? bars.current && pictureOf(bars.current) : canvas.current;
    if (!drawn) return;
    void png(drawn, token("--bg1")).then((file) => {
      save(file, `pipewatcher-${spread ? "means" : "map"}-${window}.png`);
    });
  };
  const words: Record<ColourBy, string> = {
    coverage: texts.coverage,
    seen: texts.lastSeen,
    deviation: texts.deviation,
  };
  return (
    <section className="panel plant-map" aria-label={texts.map}>
      <header className="row">
        <h2>
          {fill(spread ? texts.meansOf : texts.byKindAndPlace, {
            count: format.count(items.length),
          })}
        </h2>
        <div className="push row">
          {!spread && <HeatLegend by={by} />}
          {!spread && (
            <>
              <span className="quiet colour-by">{texts.colourBy}</span>
              <Switch<ColourBy>
                className="small"
                label={texts.colourBy}
                value={by}
                options={COLOUR_BY.map((value) => ({ value, label: words[value] }))}
                onChange={(value) => {
                  view.change({ colour: value === "coverage" ? null : value });
                }}
              />
            </>
          )}
          <Switch
            className="small"
            label={texts.show}
            value={spread ? "means" : "map"}
            options={[
              { value: "map", label: texts.map },
              { value: "means", label: texts.means },
            ]}
            onChange={(value) => {
              view.change({ view: value === "means" ? "means" : null });
            }}
          />
          <button
            className="small icon-only"
            aria-label={`${spread ? texts.means : texts.map}: PNG`}
            title="PNG"
            onClick={picture}
          >
            <Icon name="picture" />
          </button>
          {spread && (
            <button
              className="small icon-only"
              aria-label={`${texts.means}: CSV`}
              title="CSV"
              onClick={() => {
                save(spreadCsv(spreads), `pipewatcher-means-${window}.csv`);
              }}
            >
              <Icon name="download" />
            </button>
          )}
        </div>
      </header>
      {spread ? (
        <Distribution found={spreads} ref={bars} />
      ) : (
        <HeatMap
          items={items}
          tints={tints}
          window={window}
          shown={shown}
          onPick={onPick}
          onCanvas={keep}
        />
      )}
    </section>
  );
}
