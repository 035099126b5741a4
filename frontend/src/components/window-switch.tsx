"use client";

import { WINDOWS, type WindowName } from "@/api/types";
import { useSpeech } from "@/i18n/language";

import { Switch } from "./switch";

export function useWindowNames(): Record<WindowName, string> {
  const { texts } = useSpeech();
  return { "24h": texts.w24h, "48h": texts.w48h, "7d": texts.w7d, "30d": texts.w30d };
}

/** The four windows of the mission, one press apart. */
export function WindowSwitch(props: { value: WindowName; onChange: (value: WindowName) => void }) {
  const { texts } = useSpeech();
  const names = useWindowNames();
  return (
    <Switch
      label={texts.window}
      className="windows"
      options={WINDOWS.map((value) => ({ value, label: names[value] }))}
      {...props}
    />
  );
}
