"use client";

import Link from "next/link";

import { useSpeech } from "@/i18n/language";

/** Our own: the framework's carries inline styles, which our policy does not allow. */
export default function NotFound() {
  const { texts } = useSpeech();
  return (
    <main>
      <h1>{texts.nothingHere}</h1>
      <p>
        <Link href="/">{texts.overview}</Link>
      </p>
    </main>
  );
}
