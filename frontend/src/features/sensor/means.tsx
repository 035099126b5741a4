"use client";

import { useState } from "react";

import { useAverageOf } from "@/api/queries";
import { useRowSeries } from "@/api/row-series";
import { WINDOWS, type WindowName } from "@/api/types";
import { Rail } from "@/components/rail";
import { useWindowNames } from "@/components/window-switch";
import { useFormat, useSpeech } from "@/i18n/language";

interface Props {
  id: string;
  window: WindowName;
  unit: string | null;
  onWindow: (window: WindowName) => void;
}

/** The four means of the mission, each with how much of its window it stands for. */
export function Means(props: Props) {
  const { texts } = useSpeech();
  return (
    <section aria-label={texts.means}>
      <header className="row">
        <h2>{texts.means}</h2>
        <span className="quiet push">
          {[texts.simple, texts.timeWeightedMean.toLowerCase(), props.unit]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </header>
      <ul className="means">
        {WINDOWS.map((name) => (
          <Line key={name} name={name} {...props} />
        ))}
      </ul>
    </section>
  );
}

function Line({ id, name, window, onWindow }: Props & { name: WindowName }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const names = useWindowNames();
  const series = useRowSeries(name, id);
  const { item } = useAverageOf(id, name, name === window);
  const [anyway, setAnyway] = useState(false);
  const share = item?.coverage ?? null;
  const withheld = share !== null && share < 0.5 && !anyway && item?.mean !== null;
  const tone = share === null || share >= 0.9 ? "" : share < 0.5 ? "error" : "warn";
  return (
    <li>
      <button
        className="plain"
        aria-pressed={name === window}
        onClick={() => {
          onWindow(name);
        }}
      >
        {names[name]}
      </button>
      {withheld ? (
        <button
          className="link"
          onClick={() => {
            setAnyway(true);
          }}
        >
          – {texts.showAnyway}
        </button>
      ) : (
        <b className="value-s">{format.number(item?.mean ?? null)}</b>
      )}
      <span className="num quiet">
        {withheld ? "" : format.number(item?.timeWeightedMean ?? null)}
      </span>
      <small className="quiet">{texts.coverage.toLowerCase()}</small>
      <Rail parts={series?.rail ?? null} />
      <span className={`num ${tone}`}>{format.percent(share)}</span>
    </li>
  );
}
