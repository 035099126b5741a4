"use client";

import type { ImportItem } from "@/api/types";
import { Icon, type IconName } from "@/components/icons";
import { fill, useFormat, useSpeech } from "@/i18n/language";

interface Props {
  items: readonly ImportItem[];
  openId: number | null;
  mayOperate: boolean;
  onOpen: (id: number) => void;
  onUndo: (item: ImportItem) => void;
  onResume: (item: ImportItem) => void;
}

const SIGNS: Record<ImportItem["state"], IconName> = {
  queued: "more",
  running: "more",
  done: "check",
  failed: "close",
  cancelled: "close",
  interrupted: "pause",
  undoing: "undo",
  undone: "undo",
};

export function useStateWord() {
  const { texts } = useSpeech();
  return (item: ImportItem): string => {
    if (item.dryRun && item.state === "done") return texts.stateLooked;
    return {
      queued: texts.stateQueued,
      running: texts.stateRunning,
      done: texts.stateDone,
      failed: texts.stateFailed,
      cancelled: texts.stateCancelled,
      interrupted: texts.stateInterrupted,
      undoing: texts.stateUndoing,
      undone: texts.stateUndone,
    }[item.state];
  };
}

/** Every import, newest first, with what it did and the way back. */
export function History(props: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <section className="panel history" aria-label={texts.history}>
      <header className="row">
        <h2>{texts.history}</h2>
        <span className="quiet push">
          {fill(props.items.length === 1 ? texts.importsOne : texts.importsCount, {
            count: format.count(props.items.length),
          })}
        </span>
      </header>
      <ul>
        {props.items.map((item) => (
          <Line key={item.id} item={item} {...props} />
        ))}
      </ul>
    </section>
  );
}

function Line({
  item,
  openId,
  mayOperate,
  onOpen,
  onUndo,
  onResume,
}: Props & { item: ImportItem }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const word = useStateWord();
  const receipt = item.receipt;
  const facts = [
    receipt.new !== null && receipt.new > 0 && `+${format.count(receipt.new)}`,
    receipt.new === null && item.state === "done" && `+${format.count(receipt.accepted)}`,
    receipt.corrected !== null && receipt.corrected > 0 && `~${format.count(receipt.corrected)}`,
    receipt.rejected > 0 && `×${format.count(receipt.rejected)}`,
    item.gapsClosed !== null &&
      item.gapsClosed > 0 &&
      fill(item.gapsClosed === 1 ? texts.gapClosed : texts.gapsClosed, {
        count: format.count(item.gapsClosed),
      }),
  ].filter(Boolean);
  const resumable = ["failed", "cancelled", "interrupted"].includes(item.state);
  return (
    <li
      aria-label={`${texts.file} ${item.fileName}`}
      aria-current={item.id === openId ? "true" : undefined}
    >
      <div className="row">
        <button
          className="plain name"
          onClick={() => {
            onOpen(item.id);
          }}
        >
          <b className={item.state === "undone" ? "struck" : undefined}>
            IMP-{String(item.id).padStart(4, "0")}
          </b>{" "}
          <span className="clip">{item.fileName}</span>
        </button>
        <span className={`push outcome ${item.state === "failed" ? "error" : ""}`}>
          <Icon name={SIGNS[item.state]} /> {word(item)}
        </span>
      </div>
      <div className="row quiet">
        <span>
          {format.minute(item.created)} · {item.createdBy}
        </span>
        <span className="push">
          {item.undone
            ? fill(texts.undoneLine, {
                removed: format.count(item.undone.removed),
                restored: format.count(item.undone.restored),
              })
            : facts.join(" · ")}
        </span>
        {mayOperate && item.undoable && (
          <button
            className="small"
            onClick={() => {
              onUndo(item);
            }}
          >
            <Icon name="undo" /> {texts.undo}
          </button>
        )}
        {mayOperate && resumable && (
          <button
            className="small"
            onClick={() => {
              onResume(item);
            }}
          >
            {texts.resume}
          </button>
        )}
      </div>
      {item.error && <p className="error">{item.error}</p>}
    </li>
  );
}
