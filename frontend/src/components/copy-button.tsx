"use client";

import { useState } from "react";

import { Icon } from "@/components/icons";
import { useSpeech } from "@/i18n/language";

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { texts } = useSpeech();
  const [copied, setCopied] = useState(false);
  return (
    <button
      className="small"
      onClick={() => {
        void navigator.clipboard.writeText(text).then(() => {
          setCopied(true);
        });
      }}
    >
      <Icon name={copied ? "check" : "copy"} />
      {copied ? texts.copied : (label ?? texts.copy)}
    </button>
  );
}
