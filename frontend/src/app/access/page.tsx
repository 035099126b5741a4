"use client";

import { useQuery } from "@tanstack/react-query";

import { identity } from "@/api/identity";
import { PageHead } from "@/components/page-head";
import { Audit } from "@/features/audit/audit";
import { People } from "@/features/people/people";
import { Tokens } from "@/features/tokens/tokens";
import { useSpeech } from "@/i18n/language";

export default function Page() {
  const { texts } = useSpeech();
  const me = useQuery({ queryKey: ["me"], queryFn: identity.whoAmI, staleTime: 60_000 });
  return (
    <main>
      <PageHead title={texts.access} />
      <People me={me.data?.isPerson ? me.data.name : ""} />
      <Tokens />
      <Audit />
    </main>
  );
}
