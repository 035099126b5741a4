"use client";

import { useState } from "react";

import { useSpeech } from "@/i18n/language";

/** What cannot be taken back is asked for twice. */
export function SureButton({ label, onSure }: { label: string; onSure: () => void }) {
  const { texts } = useSpeech();
  const [asked, setAsked] = useState(false);
  return (
    <button
      onBlur={() => {
        setAsked(false);
      }}
      onClick={() => {
        if (asked) onSure();
        setAsked(!asked);
      }}
    >
      {asked ? `${label}: ${texts.sure}` : label}
    </button>
  );
}
