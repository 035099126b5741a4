"use client";

import { useLayoutEffect, useRef } from "react";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const TYPING = /^(INPUT|SELECT|TEXTAREA)$/;
const SEQUENCE_MS = 2_000;
let waiting: KeyboardEvent | null = null;

/** Keys of one screen, as "1", "c" or "g o" (one after the other). Not while somebody types, and
 * not with Ctrl, Alt or Meta: those belong to the browser. */
export function useKeys(keys: Keys): void {
  const kept = useRef(keys);
  // Before the screen is painted: what is seen answers to its keys.
  useLayoutEffect(() => {
    kept.current = keys;
  });
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target;
      if (target instanceof HTMLElement) {
        const typing =
          TYPING.test(target.tagName) &&
          !(target instanceof HTMLInputElement && target.type === "checkbox");
        if (typing || target.closest("dialog, [role=menu]")) return;
      }
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const both = follows(event) ? `${waiting?.key.toLowerCase() ?? ""} ${key}` : "";
      const found = kept.current[both] ?? kept.current[key];
      if (!found) return;
      event.preventDefault();
      found(event);
    };
    addEventListener("keydown", press);
    return () => {
      removeEventListener("keydown", press);
    };
  }, []);
}

/** Not of itself: the press that begins a sequence goes round to every screen's keys. */
function follows(event: KeyboardEvent): boolean {
  return waiting !== null && waiting !== event && event.timeStamp - waiting.timeStamp < SEQUENCE_MS;
}

/** Remembers the first key of a sequence; it stands once, in the shell. */
export function beginSequence(event: KeyboardEvent): void {
  waiting = event;
}
