"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";

import { upload, type Sent } from "@/api/upload";
import { reasonOf } from "@/components/fault";
import { useSpeech } from "@/i18n/language";

export interface Uploading extends Sent {
  name: string;
}

/** One file on its way to a dry run. */
export function useUpload(onDone: (id: number) => void) {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const [sending, setSending] = useState<Uploading | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const stop = useRef<AbortController | null>(null);
  const send = async (file: File | undefined, zone: string) => {
    if (!file) return;
    const abort = new AbortController();
    stop.current = abort;
    setFault(null);
    setSending({ name: file.name, bytes: 0, total: file.size, bytesPerSecond: 0 });
    try {
      const { id } = await upload(
        file,
        zone.trim(),
        (sent) => {
          setSending({ name: file.name, ...sent });
        },
        abort.signal,
      );
      await client.invalidateQueries({ queryKey: ["imports"] });
      onDone(id);
    } catch (error) {
      if (!abort.signal.aborted) setFault(reasonOf(error, texts.unreachable));
    }
    setSending(null);
  };
  const cancel = () => {
    stop.current?.abort();
  };
  return { sending, fault, send, cancel };
}
