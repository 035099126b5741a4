"use client";

import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

import * as figures from "@/lib/format";
import * as instants from "@/lib/instant";

import { en, type Texts } from "./en";
import { pt } from "./pt";

export type Language = "en" | "pt-BR";
const TEXTS: Record<Language, Texts> = { en, "pt-BR": pt };

interface Speech {
  language: Language;
  texts: Texts;
  setLanguage: (language: Language) => void;
  /** The IANA name in which instants are shown; undefined is this computer's. */
  zone: string | undefined;
  plantZone: string | undefined;
  ownZone: boolean;
  setPlantZone: (zone: string | undefined) => void;
  setOwnZone: (own: boolean) => void;
}

const nothing = () => undefined;
const SpeechContext = createContext<Speech>({
  language: "en",
  texts: en,
  setLanguage: nothing,
  zone: undefined,
  plantZone: undefined,
  ownZone: false,
  setPlantZone: nothing,
  setOwnZone: nothing,
});

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setState] = useState<Language>("en");
  const [plantZone, setPlantZone] = useState<string | undefined>();
  const [ownZone, setOwn] = useState(false);
  useEffect(() => {
    const wanted = localStorage.getItem("language") ?? navigator.language;
    setState(wanted.toLowerCase().startsWith("pt") ? "pt-BR" : "en");
    setOwn(localStorage.getItem("zone") === "own");
  }, []);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speech = useMemo(
    () => ({
      language,
      texts: TEXTS[language],
      setLanguage: (chosen: Language) => {
        localStorage.setItem("language", chosen);
        setState(chosen);
      },
      zone: ownZone ? undefined : plantZone,
      plantZone,
      ownZone,
      setPlantZone,
      setOwnZone: (own: boolean) => {
        localStorage.setItem("zone", own ? "own" : "plant");
        setOwn(own);
      },
    }),
    [language, plantZone, ownZone],
  );
  return <SpeechContext value={speech}>{children}</SpeechContext>;
}

export const useSpeech = () => useContext(SpeechContext);

/** `fill("Line {line}", { line: 3 })` is "Line 3". */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole));
}

/** Figures and instants in the language and zone of the moment. */
export function useFormat() {
  const { language, zone, texts } = useSpeech();
  return useMemo(
    () => ({
      number: (value: number | null, decimals?: number) =>
        figures.number(value, language, decimals),
      change: (value: number, decimals?: number) => figures.change(value, language, decimals),
      count: (value: number | null) => figures.count(value, language),
      percent: (share: number | null, decimals?: number) =>
        figures.percent(share, language, decimals),
      bytes: (value: number) => figures.bytes(value, language),
      tick: (value: number) => figures.tick(value, language),
      big: (value: number) => {
        const { figure, scale } = figures.big(value, language);
        const plural = language === "en" || !/^1([.,]|$)/.test(figure);
        if (scale === "") return { figure, word: "" };
        return {
          figure,
          word: texts[plural ? (`scale_${scale}` as const) : (`scale_one_${scale}` as const)],
        };
      },
      duration: (seconds: number) => figures.duration(seconds, language),
      ago: (instant: string | null, now: number) =>
        instant === null
          ? figures.MISSING
          : fill(texts.ago, {
              time: figures.duration(Math.max(0, now - Date.parse(instant)) / 1000, language),
            }),
      day: (instant: string | number) => instants.day(instant, language, zone),
      date: (instant: string | number) => instants.date(instant, language, zone),
      time: (instant: string | number) => instants.time(instant, language, zone),
      clock: (instant: string | number) => instants.clock(instant, language, zone),
      minute: (instant: string | number) => instants.minute(instant, language, zone),
      moment: (instant: string | number) => instants.moment(instant, language, zone),
      span: (start: string | number, end: string | number) =>
        instants.span(start, end, language, zone),
      ticks: (start: number, end: number, most: number) =>
        instants.timeTicks(start, end, most, zone),
      tickText: (instant: number) => instants.tickText(instant, language, zone),
      zoneName: () => instants.zoneName(language, zone),
    }),
    [language, zone, texts],
  );
}

export type Format = ReturnType<typeof useFormat>;
