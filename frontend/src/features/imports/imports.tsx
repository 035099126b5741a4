"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ApiError, upload } from "@/api/client";
import type { ImportItem } from "@/api/types";
import { fill, useSpeech } from "@/i18n/language";
import { bytes, count, moment, percent } from "@/lib/format";

import { Consequences } from "./consequences";
import { Undo } from "./undo";

const RUNNING = new Set(["queued", "running", "undoing"]);

/** CSV files: send one, watch it, read its receipt. */
export function Imports() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const imports = useQuery({
    queryKey: ["imports"],
    queryFn: api.imports,
    refetchInterval: (query) =>
      query.state.data?.items.some((item) => RUNNING.has(item.state)) ? 500 : 5_000,
  });
  const items = imports.data?.items ?? [];
  return (
    <main>
      <h1>{texts.imports}</h1>
      <Upload onDone={() => void client.invalidateQueries({ queryKey: ["imports"] })} />
      {imports.isError && (
        <section className="panel" role="alert">
          <p className="error">{texts.failed}</p>
          <button onClick={() => void imports.refetch()}>{texts.again}</button>
        </section>
      )}
      {imports.data && items.length === 0 && <p className="quiet">{texts.noImports}</p>}
      {items.map((item) => (
        <Receipt
          key={item.id}
          item={item}
          onChange={() => void client.invalidateQueries({ queryKey: ["imports"] })}
        />
      ))}
    </main>
  );
}

function Upload({ onDone }: { onDone: () => void }) {
  const { texts, language } = useSpeech();
  const [zone, setZone] = useState("");
  const [dryRun, setDryRun] = useState(false);
  const [over, setOver] = useState(false);
  const [share, setShare] = useState<number | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const send = async (file: File | undefined) => {
    if (!file) return;
    setFault(null);
    setShare(0);
    try {
      await upload(file, { timezone: zone.trim(), dryRun }, setShare);
      onDone();
    } catch (error) {
      setFault(error instanceof ApiError && error.status > 0 ? error.message : texts.unreachable);
    }
    setShare(null);
  };
  return (
    <section
      className={over ? "panel drop over" : "panel drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void send(event.dataTransfer.files[0]);
      }}
    >
      <div className="row">
        <label className="button primary file">
          {texts.dropFile}
          <input
            className="visually-hidden"
            type="file"
            accept=".csv,.gz,.txt"
            disabled={share !== null}
            onChange={(event) => {
              void send(event.target.files?.[0]);
              event.target.value = "";
            }}
          />
        </label>
        <label>
          {texts.zone}
          <input
            value={zone}
            placeholder="America/Sao_Paulo"
            onChange={(event) => {
              setZone(event.target.value);
            }}
          />
        </label>
        <label className="row">
          <input
            type="checkbox"
            checked={dryRun}
            onChange={(event) => {
              setDryRun(event.target.checked);
            }}
          />
          {texts.dryRun}
        </label>
        <span className="quiet">{texts.csvHelp}</span>
      </div>
      {share !== null && (
        <p role="status">
          <progress value={share} /> {fill(texts.uploading, { percent: percent(share, language) })}
        </p>
      )}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
    </section>
  );
}

function Receipt({ item, onChange }: { item: ImportItem; onChange: () => void }) {
  const { texts, language } = useSpeech();
  const [fault, setFault] = useState<string | null>(null);
  const act = async (action: (id: number) => Promise<ImportItem>) => {
    try {
      await action(item.id);
      setFault(null);
    } catch (error) {
      setFault(error instanceof ApiError && error.message ? error.message : texts.failed);
    }
    onChange();
  };
  const states: Record<ImportItem["state"], string> = {
    queued: texts.stateQueued,
    running: texts.stateRunning,
    done: texts.stateDone,
    failed: texts.stateFailed,
    cancelled: texts.stateCancelled,
    interrupted: texts.stateInterrupted,
    undoing: texts.stateUndoing,
    undone: texts.stateUndone,
  };
  const looked = item.dryRun && item.state === "done";
  const state = looked
    ? texts.stateLooked
    : item.dryRun && item.state === "running"
      ? texts.stateLooking
      : states[item.state];
  const [undoing, setUndoing] = useState(false);
  const receipt = item.receipt;
  // A store that keeps the last write only cannot know what a row did to the one before.
  const unsplit = item.state === "done" && receipt.new === null;
  const figures: [string, number | null][] = [
    [texts.received, receipt.received],
    [texts.accepted, receipt.accepted],
    [texts.rejected, receipt.rejected],
  ];
  if (!unsplit) {
    figures.push(
      [texts.isNewRow, receipt.new],
      [texts.identical, receipt.identical],
      [texts.corrected, receipt.corrected],
      [texts.repeated, receipt.repeated],
    );
  }
  return (
    <section className="panel" aria-label={`${texts.file} ${item.fileName}`}>
      <div className="row">
        <h2>
          #{item.id} {item.fileName}
        </h2>
        <span className={item.state === "failed" ? "error" : "quiet"}>{state}</span>
        <span className="quiet">
          {moment(item.created, language)} · {bytes(item.bytesTotal, language)}
        </span>
        {item.state === "running" && (
          <span role="status">
            <progress value={item.bytesDone} max={item.bytesTotal || 1} />{" "}
            {count(item.rowsDone, language)}
          </span>
        )}
        {["queued", "running"].includes(item.state) && (
          <button className="push" onClick={() => void act(api.withdrawImport)}>
            {texts.cancel}
          </button>
        )}
        {["failed", "cancelled", "interrupted"].includes(item.state) && (
          <button className="push" onClick={() => void act(api.resumeImport)}>
            {texts.resume}
          </button>
        )}
        {item.undoable && !undoing && (
          <button
            onClick={() => {
              setUndoing(true);
            }}
          >
            {texts.undo}
          </button>
        )}
      </div>
      {item.error && <p className="error">{item.error}</p>}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      <div className="figures">
        {figures.map(([label, value]) => (
          <div key={label} className="figure">
            <span>{label}</span>
            <b>{count(value, language)}</b>
          </div>
        ))}
      </div>
      {item.undone && (
        <p className="quiet">
          {fill(texts.undoneLine, {
            removed: count(item.undone.removed, language),
            restored: count(item.undone.restored, language),
          })}
        </p>
      )}
      {looked && (
        <Consequences
          id={item.id}
          onApply={() => void act(api.applyImport)}
          onDiscard={() => void act(api.withdrawImport)}
        />
      )}
      {undoing && item.undoable && (
        <Undo
          id={item.id}
          onUndo={() => {
            setUndoing(false);
            void act(api.withdrawImport);
          }}
          onKeep={() => {
            setUndoing(false);
          }}
        />
      )}
      {unsplit && <p className="quiet">{texts.unsplit}</p>}
      {receipt.errors.length > 0 && (
        <>
          <ul className="errors">
            {receipt.errors.slice(0, 10).map((error, index) => (
              <li key={index}>
                {fill(texts.line, { line: error.line ?? "?" })}: {error.field} {error.reason}
              </li>
            ))}
          </ul>
          <a className="button" href={`/api/v1/imports/${item.id}/rejected.csv`}>
            {texts.rejectedRows}
          </a>
        </>
      )}
    </section>
  );
}
