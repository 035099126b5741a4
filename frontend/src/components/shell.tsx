"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { useEffect, useState, type ReactNode } from "react";

import { api, ApiError } from "@/api/client";
import { SignIn } from "@/components/sign-in";
import { useSpeech } from "@/i18n/language";

type Theme = "light" | "dark";

/** The bar above every screen; nothing is shown to somebody who is not signed in. */
export function Shell({ children }: { children: ReactNode }) {
  const { texts, language, setLanguage } = useSpeech();
  const path = usePathname();
  const client = useQueryClient();
  const me = useQuery({ queryKey: ["me"], queryFn: api.whoAmI, staleTime: 60_000 });
  const [theme, setTheme] = useTheme();
  const signedOut = me.error instanceof ApiError && me.error.status === 401;
  const signOut = async () => {
    await api.signOut();
    client.clear();
    location.assign("/");
  };
  return (
    <>
      <header className="top">
        <Link className="brand" href="/">
          <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
            <rect width="22" height="22" rx="5" fill="var(--acc)" />
            <path d="M4 11h4M14 11h4M9 7v8M13 7v8" stroke="var(--onacc)" strokeWidth="2" />
          </svg>
          PipeWatcher
        </Link>
        {me.data && (
          <nav aria-label="PipeWatcher">
            <Link href="/" aria-current={path === "/" ? "page" : undefined}>
              {texts.overview}
            </Link>
            <Link href="/imports" aria-current={path.startsWith("/imports") ? "page" : undefined}>
              {texts.imports}
            </Link>
          </nav>
        )}
        <div className="row push">
          <button
            onClick={() => {
              setLanguage(language === "en" ? "pt-BR" : "en");
            }}
            aria-label={texts.language}
          >
            {language === "en" ? "PT" : "EN"}
          </button>
          <button
            onClick={() => {
              setTheme(theme === "dark" ? "light" : "dark");
            }}
            aria-label={texts.theme}
          >
            {theme === "dark" ? "☀" : "☾"}
          </button>
          {me.data && <button onClick={() => void signOut()}>{texts.signOut}</button>}
        </div>
      </header>
      {signedOut && <SignIn onDone={() => void client.resetQueries()} />}
      {!signedOut && me.data && children}
      {!signedOut && me.error && !me.data && (
        <main>
          <p className="error" role="alert">
            {texts.failed}
          </p>
          <button onClick={() => void me.refetch()}>{texts.again}</button>
        </main>
      )}
    </>
  );
}

function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>("light");
  useEffect(() => {
    const kept = localStorage.getItem("theme");
    const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(dark ? "dark" : "light");
  }, []);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return [
    theme,
    (chosen) => {
      localStorage.setItem("theme", chosen);
      setTheme(chosen);
    },
  ];
}
