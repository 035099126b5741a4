"use client";

import type { ReactNode } from "react";

import { Switch } from "@/components/switch";
import { useSpeech, type Language } from "@/i18n/language";

const LANES = 17;
const LIVE_LANE = 8;

/** The form, and beside it rails as calm ground: filled, broken, hollow. */
export function SignInGround({ children }: { children: ReactNode }) {
  const { texts, language, setLanguage } = useSpeech();
  return (
    <div className="ground">
      <svg viewBox="0 0 860 900" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
        {Array.from({ length: LANES }, (_, lane) => (
          <Lane key={lane} number={lane} />
        ))}
      </svg>
      <main className="side">
        <Switch<Language>
          className="small"
          label={texts.language}
          value={language}
          onChange={setLanguage}
          options={[
            { value: "en", label: "EN" },
            { value: "pt-BR", label: "PT" },
          ]}
        />
        {children}
      </main>
    </div>
  );
}

/** Always the same picture: lengths follow from the lane's number. */
function Lane({ number }: { number: number }) {
  const pieces: { from: number; to: number; hollow: boolean }[] = [];
  let at = -((number * 137) % 180);
  for (let piece = 0; at < 860; piece += 1) {
    const length = 70 + ((number * 89 + piece * 173) % 260);
    pieces.push({ from: at, to: at + length, hollow: (number * 5 + piece * 3) % 13 === 7 });
    at += length + ((number * 31 + piece * 71) % 5 === 2 ? 74 : 13);
  }
  const y = 46 + number * 50;
  return pieces.map((piece) => (
    <rect
      key={piece.from}
      x={piece.from}
      y={y}
      width={piece.to - piece.from}
      height="7"
      fill={piece.hollow ? "none" : number === LIVE_LANE ? "var(--acc)" : "var(--h0)"}
      stroke={piece.hollow ? "var(--spark)" : "none"}
    />
  ));
}
