"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";

import { ApiError } from "@/api/client";
import { Bell } from "@/components/bell";
import { identity } from "@/api/identity";
import { SignIn } from "@/components/sign-in";
import { THEMES, useTheme, type Theme } from "@/components/theme";
import { useSpeech } from "@/i18n/language";

const SIGNS: Record<Theme, string> = { system: "◐", light: "☀", dark: "☾" };

/** The bar above every screen; nothing is shown to somebody who is not signed in. */
export function Shell({ children }: { children: ReactNode }) {
  const { texts, language, setLanguage } = useSpeech();
  const path = usePathname();
  const client = useQueryClient();
  const me = useQuery({ queryKey: ["me"], queryFn: identity.whoAmI, staleTime: 60_000 });
  const { theme, setTheme } = useTheme();
  const words = { system: texts.themeSystem, light: texts.themeLight, dark: texts.themeDark };
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const welcome = path.startsWith("/welcome");
  const signedOut = me.error instanceof ApiError && me.error.status === 401;
  const signOut = async () => {
    const ended = await identity.signOut();
    client.clear();
    location.assign(ended?.location ?? "/");
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
            <Link href="/gaps" aria-current={path.startsWith("/gaps") ? "page" : undefined}>
              {texts.gaps}
            </Link>
            <Link
              href="/dead-letters"
              aria-current={path.startsWith("/dead-letters") ? "page" : undefined}
            >
              {texts.deadLetters}
            </Link>
            <Link href="/balance" aria-current={path.startsWith("/balance") ? "page" : undefined}>
              {texts.balance}
            </Link>
            {me.data.role === "admin" && (
              <Link href="/access" aria-current={path.startsWith("/access") ? "page" : undefined}>
                {texts.access}
              </Link>
            )}
          </nav>
        )}
        <div className="row push">
          {me.data && <Bell />}
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
              setTheme(next);
            }}
            aria-label={`${texts.theme}: ${words[theme]}`}
            title={`${texts.theme}: ${words[theme]}`}
          >
            {SIGNS[theme]}
          </button>
          {me.data && (
            <Link
              className="button"
              href="/account"
              aria-label={`${texts.account}: ${me.data.name}`}
              aria-current={path.startsWith("/account") ? "page" : undefined}
            >
              {me.data.name}
            </Link>
          )}
          {me.data && <button onClick={() => void signOut()}>{texts.signOut}</button>}
        </div>
      </header>
      {welcome && children}
      {!welcome && signedOut && <SignIn onDone={() => void client.resetQueries()} />}
      {!welcome && !signedOut && me.data && children}
      {!welcome && !signedOut && me.error && !me.data && (
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
