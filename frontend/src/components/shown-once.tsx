"use client";

import { useState } from "react";

import { useSpeech } from "@/i18n/language";

/** A secret that is nowhere else, with a button that copies it. */
export function ShownOnce({ help, secret }: { help: string; secret: string }) {
  const { texts } = useSpeech();
  const [copied, setCopied] = useState(false);
  return (
    <div role="status">
      <p>{help}</p>
      <pre>{secret}</pre>
      <button
        onClick={() => {
          void navigator.clipboard.writeText(secret).then(() => {
            setCopied(true);
          });
        }}
      >
        {copied ? texts.copied : texts.copy}
      </button>
    </div>
  );
}
