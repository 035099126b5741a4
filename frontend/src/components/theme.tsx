"use client";

import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

interface Colours {
  theme: Theme;
  /** What is on the screen: charts are drawn again when it changes. */
  dark: boolean;
  setTheme: (theme: Theme) => void;
}

const ThemeContext = createContext<Colours>({
  theme: "system",
  dark: false,
  setTheme: () => undefined,
});

export function ThemeProvider({ children }: { children: ReactNode }) {
  const [theme, setChosen] = useState<Theme>("system");
  const [system, setSystem] = useState<boolean | null>(null);
  useEffect(() => {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") setChosen(kept);
    const query = matchMedia("(prefers-color-scheme: dark)");
    const look = () => {
      setSystem(query.matches);
    };
    look();
    query.addEventListener("change", look);
    return () => {
      query.removeEventListener("change", look);
    };
  }, []);
  const dark = theme === "dark" || (theme === "system" && system === true);
  // In a child's effect the attribute must stand already: charts read the colours from the page.
  if (system !== null) document.documentElement.dataset.theme = dark ? "dark" : "light";
  const colours = useMemo(
    () => ({
      theme,
      dark,
      setTheme: (chosen: Theme) => {
        localStorage.setItem("theme", chosen);
        setChosen(chosen);
      },
    }),
    [theme, dark],
  );
  return <ThemeContext value={colours}>{children}</ThemeContext>;
}

export const useTheme = () => useContext(ThemeContext);
