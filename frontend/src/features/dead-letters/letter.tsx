"use client";

import { useEffect, useRef, useState } from "react";

import { api, ApiError } from "@/api/client";
import type { DeadLetterItem } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { bytes, count } from "@/lib/format";

interface Props {
  letter: DeadLetterItem;
  door: string;
  onChange: () => Promise<void>;
  onClose: () => void;
}

/** One dead letter, with what may be done about it. */
export function Letter({ letter, door, onChange, onClose }: Props) {
  const { texts, language } = useSpeech();
  const format = useFormat();
  const [draft, setDraft] = useState<string | null>(null);
  const [topic, setTopic] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [sure, setSure] = useState(false);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    panel.current?.scrollIntoView({ block: "nearest" });
  }, []);
  const changed = draft !== null || topic !== null;

  const act = async (action: () => Promise<string | null>) => {
    setBusy(true);
    setFault(null);
    setTold(null);
    try {
      setTold(await action());
    } catch (error) {
      setFault(error instanceof ApiError && error.message ? error.message : texts.unreachable);
    }
    await onChange();
    setBusy(false);
  };
  const save = async () => {
    await api.editDeadLetter(letter.id, {
      payload: draft ?? letter.payload ?? "",
      ...(topic === null ? {} : { topic }),
    });
    setDraft(null);
    setTopic(null);
    return null;
  };
  const replay = async () => {
    const receipt = await api.replayDeadLetter(letter.id);
    if (receipt.rejected === 0) onClose();
    return fill(texts.replayed, {
      accepted: count(receipt.accepted, language),
      rejected: count(receipt.rejected, language),
    });
  };
  const remove = async () => {
    await api.removeDeadLetter(letter.id);
    onClose();
    return null;
  };
  return (
    <section ref={panel} className="panel" aria-label={texts.deadLetter}>
      <div className="row">
        <h2>
          #{letter.id} {door}
        </h2>
        <span className="quiet">
          {format.moment(letter.received)} · {letter.client} ·{" "}
          {bytes(letter.payloadBytes, language)}
          {letter.editedBy !== null && ` · ${fill(texts.editedBy, { name: letter.editedBy })}`}
        </span>
        <button className="push" onClick={onClose}>
          {texts.close}
        </button>
      </div>
      <Errors letter={letter} />
      {letter.payloadBase64 !== null && (
        <>
          <p className="quiet">{texts.notText}</p>
          <pre>{letter.payloadBase64}</pre>
        </>
      )}
      <div className="stack">
        {letter.door !== "store" && (
          <label>
            {texts.topic}
            <input
              value={topic ?? letter.topic}
              onChange={(event) => {
                setTopic(event.target.value);
              }}
            />
          </label>
        )}
        <label>
          {letter.payloadBase64 === null ? texts.payload : texts.newPayload}
          <textarea
            rows={8}
            spellCheck={false}
            value={draft ?? letter.payload ?? ""}
            onChange={(event) => {
              setDraft(event.target.value);
            }}
          />
        </label>
      </div>
      {fault !== null && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      {told !== null && <p role="status">{told}</p>}
      <div className="row">
        <button disabled={busy || !changed} onClick={() => void act(save)}>
          {texts.save}
        </button>
        <button
          className="primary"
          disabled={busy || changed || letter.cut}
          onClick={() => void act(replay)}
        >
          {texts.replay}
        </button>
        <button
          className="push"
          disabled={busy}
          onClick={() => {
            if (sure) void act(remove);
            else setSure(true);
          }}
        >
          {sure ? texts.throwAwaySure : texts.throwAway}
        </button>
      </div>
    </section>
  );
}

function Errors({ letter }: { letter: DeadLetterItem }) {
  const { texts, language } = useSpeech();
  if (letter.cut)
    return (
      <p className="error">
        {fill(texts.cutPayload, { size: bytes(letter.payloadBytes, language) })}
      </p>
    );
  if (letter.errors.length === 0)
    return <p role="status">{fill(texts.readyToReplay, { reason: letter.reason })}</p>;
  return (
    <ul className="errors" aria-label={texts.reason}>
      {letter.errors.slice(0, 10).map((error, index) => (
        <li key={index}>
          {error.index != null && `${fill(texts.item, { index: error.index })}: `}
          {error.field} {error.reason}
        </li>
      ))}
    </ul>
  );
}
