"use client";

import { useRef, useState } from "react";

import { Icon } from "@/components/icons";
import { fill, useFormat, useSpeech } from "@/i18n/language";

import type { Uploading } from "./use-upload";

interface Props {
  sending: Uploading | null;
  fault: string | null;
  onFile: (file: File | undefined, zone: string) => void;
  onCancel: () => void;
}

/** Where a file is dropped or chosen, and how far it has come. */
export function DropZone({ sending, fault, onFile, onCancel }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [zone, setZone] = useState("");
  const [over, setOver] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  return (
    <section
      className={over ? "panel drop over" : "panel drop"}
      aria-label={texts.newImport}
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
        onFile(event.dataTransfer.files[0], zone);
      }}
    >
      {sending ? (
        <div className="sending" role="status">
          <div className="row">
            <b>{sending.name}</b>
            <span className="quiet push">
              {format.bytes(sending.bytes)} / {format.bytes(sending.total)}
              {sending.bytesPerSecond > 0 &&
                ` · ${format.bytes(sending.bytesPerSecond)}/s · ${fill(texts.timeLeft, {
                  time: format.duration(
                    Math.ceil((sending.total - sending.bytes) / sending.bytesPerSecond),
                  ),
                })}`}
            </span>
            <button className="small" onClick={onCancel}>
              {texts.cancel}
            </button>
          </div>
          <progress
            aria-label={sending.name}
            value={sending.bytes}
            max={Math.max(1, sending.total)}
          />
        </div>
      ) : (
        <>
          <Icon name="upload" />
          <p>
            <b>{texts.dropFile}</b>
            <span className="quiet">{texts.csvHelp}</span>
          </p>
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
          <button
            className="primary"
            onClick={() => {
              field.current?.click();
            }}
          >
            {texts.chooseFile}
          </button>
          <input
            ref={field}
            className="visually-hidden"
            type="file"
            tabIndex={-1}
            aria-label={texts.chooseFile}
            accept=".csv,.gz,.txt"
            onChange={(event) => {
              onFile(event.target.files?.[0], zone);
              event.target.value = "";
            }}
          />
        </>
      )}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
    </section>
  );
}
