"use client";

import type { ImportItem } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";

/** How far an import or a dry run is: share, rows, rate, what is left. */
export function Progress({ item, onStop }: { item: ImportItem; onStop: (() => void) | null }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const share = item.bytesTotal > 0 ? item.bytesDone / item.bytesTotal : 0;
  return (
    <section className="panel import-progress" aria-label={`${texts.running} ${item.fileName}`}>
      <div className="row">
        <span className="running">
          <i aria-hidden="true" />
          {item.state === "undoing"
            ? texts.stateUndoing
            : item.dryRun
              ? texts.stateLooking
              : item.state === "queued"
                ? texts.stateQueued
                : texts.stateRunning}
        </span>
        <span className="quiet push">IMP-{String(item.id).padStart(4, "0")}</span>
      </div>
      <div className="row">
        <b className="value-m">
          {format.percent(share, 0).replace(/\s?%$/u, "")}
          <small>%</small>
        </b>
        {item.etaSeconds !== null && (
          <span className="push">
            {fill(texts.aboutLeft, { time: format.duration(Math.ceil(item.etaSeconds)) })}
          </span>
        )}
      </div>
      <progress value={share} aria-label={item.fileName} />
      <div className="row quiet">
        <span>{item.fileName}</span>
        <span className="push">
          {fill(texts.rowsCount, { count: format.count(item.rowsDone) })}
          {item.rowsPerSecond !== null &&
            ` · ${fill(texts.rowsPerSecond, { count: format.count(Math.round(item.rowsPerSecond)) })}`}
          {` · ${format.bytes(item.bytesDone)} / ${format.bytes(item.bytesTotal)}`}
        </span>
      </div>
      <div className="row">
        {onStop && (
          <button className="small" onClick={onStop}>
            {texts.stop}
          </button>
        )}
        <span className="quiet push">{texts.liveNotDelayed}</span>
      </div>
    </section>
  );
}
