"use client";

import { PageHead } from "@/components/page-head";
import { Balance } from "@/features/balance/balance";
import { Retention } from "@/features/retention/retention";
import { useSpeech } from "@/i18n/language";

export default function Page() {
  const { texts } = useSpeech();
  return (
    <main>
      <PageHead title={texts.balance} />
      <Balance />
      <Retention />
    </main>
  );
}
