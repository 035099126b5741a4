"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { GapLetter } from "@/api/types";
import { reasonOf } from "@/components/fault";
import { saveList } from "@/components/letter-button";
import { useSpeech } from "@/i18n/language";

/** Asks the vendor: the list is offered as a file, and the gaps are marked as requested. */
export function useRequest() {
  const { texts, language } = useSpeech();
  const client = useQueryClient();
  const [letter, setLetter] = useState<GapLetter | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const request = async (ids: string[]) => {
    setLetter(null);
    setFault(null);
    try {
      const asked = await api.requestGaps(ids, language);
      saveList(asked);
      setLetter(asked);
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    await client.invalidateQueries({ queryKey: ["gaps"] });
  };
  return { request, letter, fault };
}
