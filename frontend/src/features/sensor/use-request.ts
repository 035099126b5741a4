"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { reasonOf } from "@/components/fault";
import { useSpeech } from "@/i18n/language";
import { save } from "@/lib/save";

/** Asks the vendor: the list is offered as a file, and the gaps are marked as requested. */
export function useRequest() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const [told, setTold] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const request = async (ids: string[]) => {
    setTold(null);
    setFault(null);
    try {
      save(await api.requestGaps(ids), "gaps-requested.csv");
      setTold(texts.requested);
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    await client.invalidateQueries({ queryKey: ["gaps"] });
  };
  return { request, told, fault };
}
