"use client";

import { useMemo } from "react";

import type { GapItem, GapLetter } from "@/api/types";
import { Icon } from "@/components/icons";
import { LetterButton } from "@/components/letter-button";
import { Mark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { moment } from "@/lib/instant";
import { useNow } from "@/lib/now";

interface Props {
  open: number | null;
  missing: number;
  chosen: readonly GapItem[];
  requested: readonly GapItem[];
  mayOperate: boolean;
  busy: boolean;
  letter: GapLetter | null;
  fault: string | null;
  onRequest: () => void;
  onLost: () => void;
}

const PREVIEWED = 6;

/** What the vendor will be asked for, and what he still owes. */
export function RequestPanel(props: Props) {
  const { chosen, open } = props;
  const { texts, language } = useSpeech();
  const format = useFormat();
  const sensors = new Set(chosen.map((gap) => gap.equipmentId)).size;
  return (
    <aside className="panel side-panel request-panel" aria-label={texts.requestFromVendor}>
      <div className="figure-line">
        <span className="state late">
          <Mark name="gaps" /> <span>{texts.openGaps}</span>
        </span>
        <b className="value-l">{format.count(open)}</b>
        <span className="quiet">
          {fill(texts.missingInWindow, { count: format.count(props.missing) })}
        </span>
      </div>
      <section aria-label={texts.requestFromVendor}>
        <h2>{texts.requestFromVendor}</h2>
        <p className="quieter">
          {chosen.length === 0
            ? texts.noneChosen
            : fill(chosen.length === 1 ? texts.oneGapChosen : texts.gapsChosen, {
                count: format.count(chosen.length),
                sensors: format.count(sensors),
              })}
        </p>
        {chosen.length > 0 && (
          <>
            <p className="label">{texts.theyReceive}</p>
            <div className="letter-preview">
              <p>{texts.pleaseResend}</p>
              <ul>
                {chosen.slice(0, PREVIEWED).map((gap) => (
                  <li key={gap.id}>
                    <b>{gap.equipmentId}</b> {moment(gap.start, language, "UTC").slice(0, -3)} →{" "}
                    {gap.end === null ? texts.now : moment(gap.end, language, "UTC").slice(0, -3)}{" "}
                    UTC
                  </li>
                ))}
              </ul>
              {chosen.length > PREVIEWED && (
                <p>{fill(texts.andMore, { count: format.count(chosen.length - PREVIEWED) })}</p>
              )}
            </div>
            <p className="attached">
              <Icon name="file" /> {texts.gapListAttached}
            </p>
          </>
        )}
      </section>
      <Waiting requested={props.requested} />
      {props.letter && (
        <>
          <p role="status">{texts.requested}</p>
          <LetterButton letter={props.letter} />
        </>
      )}
      {props.fault && (
        <p className="error" role="alert">
          {props.fault}
        </p>
      )}
      {props.mayOperate && (
        <div className="request-actions">
          <p className="quiet">{texts.whenFileArrives}</p>
          <button
            className="primary"
            disabled={chosen.length === 0 || props.busy}
            onClick={props.onRequest}
          >
            <Icon name="send" />
            {fill(chosen.length === 1 ? texts.requestOne : texts.requestCount, {
              count: format.count(chosen.length),
            })}
          </button>
          <button
            className="quietly"
            disabled={chosen.length === 0 || props.busy}
            onClick={props.onLost}
          >
            {texts.markLost}
          </button>
        </div>
      )}
    </aside>
  );
}

/** What was asked at one time is one line. */
function Waiting({ requested }: { requested: readonly GapItem[] }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const now = useNow();
  const batches = useMemo(() => {
    const found = new Map<string, { at: string; by: string; gaps: number }>();
    for (const gap of requested) {
      const at = gap.changed ?? "";
      const batch = found.get(at);
      if (batch) batch.gaps += 1;
      else found.set(at, { at, by: gap.changedBy ?? "", gaps: 1 });
    }
    return [...found.values()].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, 5);
  }, [requested]);
  if (batches.length === 0) return null;
  return (
    <section aria-label={texts.waitingForFiles}>
      <h2>{texts.waitingForFiles}</h2>
      <ul className="waiting">
        {batches.map((batch) => (
          <li key={batch.at}>
            <b>
              {fill(batch.gaps === 1 ? texts.oneGap : texts.manyGaps, {
                count: format.count(batch.gaps),
              })}
            </b>{" "}
            <span className="quieter">{batch.by}</span>
            <span className="quiet push">{format.ago(batch.at, now)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
