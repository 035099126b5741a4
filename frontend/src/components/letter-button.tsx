"use client";

import type { GapLetter } from "@/api/types";
import { Icon } from "@/components/icons";
import { useSpeech } from "@/i18n/language";
import { save } from "@/lib/save";

/** The list of what was asked for, as the file that the vendor gets. */
export function saveList(letter: GapLetter): void {
  save(new Blob([letter.csv], { type: "text/csv;charset=utf-8" }), "gaps-requested.csv");
}

/** The page for who reads the request, to be sent along with the list. */
export function LetterButton({ letter }: { letter: GapLetter }) {
  const { texts } = useSpeech();
  return (
    <button
      onClick={() => {
        save(new Blob([letter.page], { type: "text/html;charset=utf-8" }), "gaps-requested.html");
      }}
    >
      <Icon name="download" /> {texts.pageToSend}
    </button>
  );
}
