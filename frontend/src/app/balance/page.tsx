"use client";

import { Balance } from "@/features/balance/balance";
import { Retention } from "@/features/retention/retention";
import { useSpeech } from "@/i18n/language";

export default function Page() {
  const { texts } = useSpeech();
  return (
    <main>
      <h1>{texts.balance}</h1>
      <Balance />
      <Retention />
    </main>
  );
}
