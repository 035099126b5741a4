"use client";

import { useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { usePathname, useRouter, useSearchParams } from "next/navigation";
import { Suspense, useEffect, useLayoutEffect, useState, type ReactNode } from "react";

import { ApiError } from "@/api/client";
import { remember } from "@/api/early";
import type { Me } from "@/api/identity";
import { useMe, usePlant } from "@/api/queries";
import { useLiveConnection } from "@/api/use-live";
import { Bell } from "@/components/bell";
import { Help } from "@/components/help";
import { Icon, Logo } from "@/components/icons";
import { beginSequence, useKeys } from "@/components/keys";
import { LiveMark, NotLiveBar } from "@/components/live-mark";
import { Menu } from "@/components/menu";
import { Nav, Tabs, usePlaces } from "@/components/nav";
import { LanguageChoice, PersonMenu, ThemeChoice, ZoneChoice } from "@/components/person-menu";
import { Search } from "@/components/search";
import { SignIn } from "@/components/sign-in";
import { SignInGround } from "@/components/sign-in-ground";
import { Failure } from "@/components/states";
import { useTheme } from "@/components/theme";
import { useSpeech } from "@/i18n/language";

/** The bar above every screen; nothing is shown to somebody who is not signed in. */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const client = useQueryClient();
  const me = useMe();
  const plant = usePlant(me.data !== undefined);
  const signedOut = me.error instanceof ApiError && me.error.status === 401;
  const signedIn = me.data !== undefined;
  useEffect(() => {
    if (signedIn || signedOut) remember(signedIn && !signedOut);
  }, [signedIn, signedOut]);
  if (path.startsWith("/welcome")) return <SignInGround>{children}</SignInGround>;
  if (signedOut) {
    return (
      <SignInGround>
        <SignIn onDone={() => void client.resetQueries()} />
      </SignInGround>
    );
  }
  // The plant's name stands in the bar, and its zone in every instant: nothing is shown without.
  if (me.data && !plant.isPending)
    return (
      <Suspense>
        <SignedIn me={me.data}>{children}</SignedIn>
      </Suspense>
    );
  if (!me.error)
    return (
      <div className="first-paint" aria-hidden="true">
        <div className="top">
          <span className="brand">
            <Logo />
            <span className="name">PipeWatcher</span>
          </span>
        </div>
      </div>
    );
  return (
    <main>
      <section className="panel">
        <Failure error={me.error} onAgain={() => void me.refetch()} />
      </section>
    </main>
  );
}

function SignedIn({ me, children }: { me: Me; children: ReactNode }) {
  const { texts, language, setPlantZone } = useSpeech();
  const { dark } = useTheme();
  const [help, setHelp] = useState(false);
  const plant = usePlant();
  const places = usePlaces();
  const wall = useSearchParams().get("wall") === "1";
  useLiveConnection();
  usePlaceKeys(() => {
    setHelp(true);
  });
  const zone = plant.data?.timezone ?? undefined;
  // Before anything is painted: no instant is shown in another zone first.
  useLayoutEffect(() => {
    setPlantZone(zone);
  }, [zone, setPlantZone]);
  useEffect(() => {
    document.documentElement.toggleAttribute("data-wall", wall);
  }, [wall]);
  const code = language === "en" ? "EN" : "PT";
  const initials = me.name
    .split(/[\s._-]+/)
    .map((word) => word[0] ?? "")
    .slice(0, 2)
    .join("")
    .toUpperCase();
  const forPerson = {
    me,
    onHelp: () => {
      setHelp(true);
    },
  };
  return (
    <>
      <a className="skip" href="#content">
        {texts.skip}
      </a>
      <header className="top">
        <Link className="brand" href="/" aria-label={`PipeWatcher: ${texts.overview}`}>
          <Logo />
          <span className="name">PipeWatcher</span>
        </Link>
        {plant.data?.name && <span className="plant">{plant.data.name}</span>}
        <Nav places={places} />
        <div className="tools">
          {!wall && <Search />}
          <LiveMark />
          {!wall && (
            <>
              <Bell />
              <Menu
                label={`${code}, ${texts.languageAndZone}`}
                className="quietly not-phone short"
                trigger={code}
              >
                <LanguageChoice />
                <ZoneChoice />
              </Menu>
              <Menu
                label={texts.theme}
                className="icon-only quietly not-phone"
                trigger={<Icon name={dark ? "moon" : "sun"} />}
              >
                <ThemeChoice />
              </Menu>
              <PersonMenu
                {...forPerson}
                className="avatar not-phone"
                label={`${texts.account}: ${me.name} (${initials})`}
                trigger={initials}
              />
            </>
          )}
        </div>
      </header>
      <NotLiveBar />
      <div id="content" tabIndex={-1}>
        {children}
      </div>
      <Tabs
        places={places}
        more={
          <PersonMenu
            {...forPerson}
            className="tab"
            side="top"
            label={texts.more}
            trigger={
              <>
                <Icon name="more" />
                {texts.more}
              </>
            }
          />
        }
      />
      {help && (
        <Help
          onClose={() => {
            setHelp(false);
          }}
        />
      )}
    </>
  );
}

function usePlaceKeys(onHelp: () => void) {
  const router = useRouter();
  const { dark, setTheme } = useTheme();
  const go = (href: string) => () => {
    router.push(href);
  };
  useKeys({
    g: beginSequence,
    "g o": go("/"),
    "g s": go("/sensors"),
    "g c": go("/compare"),
    "g l": go("/gaps"),
    "g i": go("/imports"),
    t: () => {
      setTheme(dark ? "light" : "dark");
    },
    "?": onHelp,
  });
}
