"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { usePathname } from "next/navigation";

import { api } from "@/api/client";
import { Icon, type IconName } from "@/components/icons";
import { useFormat, useSpeech } from "@/i18n/language";

const DAY_MS = 86_400_000;
const RUNNING = new Set(["queued", "running", "undoing"]);

export interface Place {
  href: string;
  label: string;
  icon: IconName;
  badge?: string | null;
  here: boolean;
}

/** The screens, in the order of the bar. */
export function usePlaces(): Place[] {
  const { texts } = useSpeech();
  const format = useFormat();
  const path = usePathname();
  const gaps = useQuery({
    queryKey: ["gaps", "open-count"],
    queryFn: () =>
      api.gaps({ state: "open", start: new Date(Date.now() - DAY_MS).toISOString(), limit: 1 }),
    refetchInterval: 60_000,
    retry: false,
  });
  const imports = useQuery({ queryKey: ["imports"], queryFn: api.imports });
  const running = imports.data?.items.filter((item) => RUNNING.has(item.state)).length ?? 0;
  const open = gaps.data?.total ?? 0;
  const at = (prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
  return [
    { href: "/", label: texts.overview, icon: "grid", here: path === "/" },
    {
      href: "/sensors",
      label: texts.sensors,
      icon: "search",
      here: at("/sensors") || at("/sensor"),
    },
    { href: "/compare", label: texts.compare, icon: "chart", here: at("/compare") },
    {
      href: "/gaps",
      label: texts.gaps,
      icon: "list",
      badge: open > 0 ? format.count(open) : null,
      here: at("/gaps"),
    },
    {
      href: "/imports",
      label: texts.imports,
      icon: "upload",
      badge: running > 0 ? format.count(running) : null,
      here: at("/imports"),
    },
  ];
}

export function Nav({ places }: { places: readonly Place[] }) {
  return (
    <nav className="bar" aria-label="PipeWatcher">
      {places.map((place) => (
        <Link key={place.href} href={place.href} aria-current={place.here ? "page" : undefined}>
          {place.label}
          {place.badge && <span className="badge">{place.badge}</span>}
        </Link>
      ))}
    </nav>
  );
}

/** On a phone: at the bottom, under the thumb. Compare is reached from the sensors. */
export function Tabs({ places, more }: { places: readonly Place[]; more: React.ReactNode }) {
  return (
    <nav className="tabs" aria-label="PipeWatcher">
      {places
        .filter((place) => place.href !== "/compare")
        .map((place) => (
          <Link key={place.href} href={place.href} aria-current={place.here ? "page" : undefined}>
            <Icon name={place.icon} />
            {place.label}
          </Link>
        ))}
      {more}
    </nav>
  );
}
