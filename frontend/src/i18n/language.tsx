"use client";

import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

import { en, type Texts } from "./en";
import { pt } from "./pt";

export type Language = "en" | "pt-BR";
const TEXTS: Record<Language, Texts> = { en, "pt-BR": pt };

interface Speech {
  language: Language;
  texts: Texts;
  setLanguage: (language: Language) => void;
}

const SpeechContext = createContext<Speech>({
  language: "en",
  texts: en,
  setLanguage: () => undefined,
});

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setState] = useState<Language>("en");
  useEffect(() => {
    const kept = localStorage.getItem("language");
    const wanted = kept ?? navigator.language;
    setState(wanted.toLowerCase().startsWith("pt") ? "pt-BR" : "en");
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
    }),
    [language],
  );
  return <SpeechContext value={speech}>{children}</SpeechContext>;
}

export const useSpeech = () => useContext(SpeechContext);

/** `fill("Line {line}", { line: 3 })` is "Line 3". */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole));
}
