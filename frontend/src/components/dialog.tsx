"use client";

import { useEffect, useRef, type ReactNode } from "react";

import { Icon } from "@/components/icons";
import { useSpeech } from "@/i18n/language";

/** The browser's own dialog: it keeps the focus in, closes by Escape and gives the focus back. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const { texts } = useSpeech();
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    place.current?.showModal();
  }, []);
  return (
    <dialog ref={place} aria-label={props.title} onClose={props.onClose}>
      <header>
        <h2>{props.title}</h2>
        <button
          className="icon-only quietly"
          aria-label={texts.close}
          onClick={() => place.current?.close()}
        >
          <Icon name="close" />
        </button>
      </header>
      {props.children}
    </dialog>
  );
}
