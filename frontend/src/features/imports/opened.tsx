"use client";

import Link from "next/link";

import type { ImportItem } from "@/api/types";
import { Icon } from "@/components/icons";
import { fill, useFormat, useSpeech } from "@/i18n/language";

import { Consequences } from "./consequences";
import { useStateWord } from "./history";
import { Outcomes } from "./outcomes";
import { RejectedReasons } from "./rejected-reasons";

interface Props {
  item: ImportItem;
  mayOperate: boolean;
  busy: boolean;
  fault: string | null;
  onApply: () => void;
  onDiscard: () => void;
  onUndo: () => void;
}

/** One file: where it stands, what it would do or did. */
export function Opened({ item, mayOperate, busy, fault, onApply, onDiscard, onUndo }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const word = useStateWord();
  const looked = item.dryRun && item.state === "done";
  const applied = !item.dryRun && item.state === "done";
  const step = applied ? 3 : looked ? 2 : 1;
  const steps = [texts.stepRead, texts.stepDryRun, applied ? texts.stepApplied : texts.stepApply];
  return (
    <section className="panel opened" aria-label={`${texts.file} ${item.fileName}`}>
      <header>
        <Icon name="file" />
        <div className="who">
          <h2 className="clip">{item.fileName}</h2>
          <p className="quiet">
            {[
              format.bytes(item.bytesTotal),
              fill(item.receipt.received === 1 ? texts.oneRow : texts.rowsCount, {
                count: format.count(item.receipt.received),
              }),
              fill(item.sensors === 1 ? texts.oneSensor : texts.sensorsCount, {
                count: format.count(item.sensors),
              }),
              word(item),
            ].join(" · ")}
          </p>
        </div>
        <ol className="steps" aria-label={texts.steps}>
          {steps.map((name, index) => (
            <li key={name} aria-current={index + 1 === step ? "step" : undefined}>
              <i aria-hidden="true">
                {index + 1 < step || applied ? <Icon name="check" /> : index + 1}
              </i>
              {name}
            </li>
          ))}
        </ol>
      </header>
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      {item.error && <p className="error">{item.error}</p>}
      {item.unknownColumns.length > 0 && (
        <p className="quiet">
          {fill(texts.columnsIgnored, { names: item.unknownColumns.join(", ") })}
        </p>
      )}
      {looked ? (
        <Consequences
          item={item}
          mayOperate={mayOperate}
          busy={busy}
          onApply={onApply}
          onDiscard={onDiscard}
        />
      ) : (
        <>
          <Outcomes counts={item.receipt} />
          {item.undone && (
            <p className="in-short">
              {fill(texts.undoneLine, {
                removed: format.count(item.undone.removed),
                restored: format.count(item.undone.restored),
              })}
            </p>
          )}
          {item.gapsClosed !== null && applied && (
            <p className="in-short">
              <b>
                {fill(item.gapsClosed === 1 ? texts.gapClosed : texts.gapsClosed, {
                  count: format.count(item.gapsClosed),
                })}
              </b>
              {item.gapsPartlyFilled !== null && item.gapsPartlyFilled > 0 && (
                <span>
                  {fill(texts.gapsPartly, { count: format.count(item.gapsPartlyFilled) })}
                </span>
              )}
              {item.gapsUntouched !== null && item.gapsUntouched > 0 && (
                <span>
                  {fill(texts.gapsUntouched, { count: format.count(item.gapsUntouched) })}
                </span>
              )}
              <Link href="/gaps?state=filled">{texts.gaps}</Link>
            </p>
          )}
          <RejectedReasons item={item} />
          <footer className="apply">
            {item.receipt.rejected > 0 && (
              <a className="button" href={`/api/v1/imports/${String(item.id)}/rejected.csv`}>
                <Icon name="download" /> {texts.rejectedRows}
              </a>
            )}
            {mayOperate && item.undoable && (
              <button onClick={onUndo}>
                <Icon name="undo" /> {texts.undo}
              </button>
            )}
          </footer>
        </>
      )}
    </section>
  );
}
