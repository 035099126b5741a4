"use client";

import { useQueryClient } from "@tanstack/react-query";

import { identity, type Me } from "@/api/identity";
import { Menu, MenuChoice, MenuItem, MenuLine, MenuLink } from "@/components/menu";
import { THEMES, useTheme, type Theme } from "@/components/theme";
import { useSpeech, type Language } from "@/i18n/language";

interface Props {
  me: Me;
  className: string;
  trigger: React.ReactNode;
  label: string;
  side?: "top" | "bottom";
  onHelp: () => void;
}

/** All that is not looked at every day. */
export function PersonMenu({ me, onHelp, ...rest }: Props) {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const signOut = async () => {
    const ended = await identity.signOut();
    client.clear();
    location.assign(ended?.location ?? "/");
  };
  return (
    <Menu {...rest}>
      <p className="title">
        {me.name} · {texts[me.role]}
      </p>
      <MenuLink href="/account" icon="person">
        {texts.account}
      </MenuLink>
      <MenuLink href="/notifications" icon="bell">
        {texts.notifications}
      </MenuLink>
      <MenuLink href="/dead-letters" icon="letter">
        {texts.deadLetters}
      </MenuLink>
      <MenuLink href="/balance" icon="scale">
        {texts.balance}
      </MenuLink>
      {me.role === "admin" && (
        <MenuLink href="/access" icon="key">
          {texts.access}
        </MenuLink>
      )}
      <MenuLine />
      <MenuLink href="/?wall=1" icon="screen">
        {texts.wall}
      </MenuLink>
      <MenuItem icon="keyboard" onSelect={onHelp}>
        {texts.keys}
      </MenuItem>
      <MenuItem
        icon="book"
        onSelect={() => {
          location.assign("/docs");
        }}
      >
        {texts.apiDocs}
      </MenuItem>
      <div className="only-phone">
        <MenuLine />
        <LanguageChoice />
        <ThemeChoice />
      </div>
      <MenuLine />
      <MenuItem icon="door" onSelect={() => void signOut()}>
        {texts.signOut}
      </MenuItem>
    </Menu>
  );
}

export function LanguageChoice() {
  const { texts, language, setLanguage } = useSpeech();
  return (
    <MenuChoice<Language>
      title={texts.language}
      value={language}
      onChange={setLanguage}
      options={[
        { value: "en", label: "English" },
        { value: "pt-BR", label: "Português" },
      ]}
    />
  );
}

export function ZoneChoice() {
  const { texts, plantZone, ownZone, setOwnZone } = useSpeech();
  if (plantZone === undefined) return null;
  return (
    <MenuChoice
      title={texts.timeZone}
      value={ownZone ? "own" : "plant"}
      onChange={(value) => {
        setOwnZone(value === "own");
      }}
      options={[
        { value: "plant", label: `${texts.zonePlant} (${plantZone})` },
        {
          value: "own",
          label: `${texts.zoneOwn} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`,
        },
      ]}
    />
  );
}

export function ThemeChoice() {
  const { texts } = useSpeech();
  const { theme, setTheme } = useTheme();
  const words: Record<Theme, string> = {
    system: texts.themeSystem,
    light: texts.themeLight,
    dark: texts.themeDark,
  };
  return (
    <MenuChoice<Theme>
      title={texts.theme}
      value={theme}
      onChange={setTheme}
      options={THEMES.map((value) => ({ value, label: words[value] }))}
    />
  );
}
