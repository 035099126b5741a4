"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api } from "@/api/client";
import type { NotificationItem } from "@/api/types";
import { fill, useSpeech } from "@/i18n/language";
import type { Texts } from "@/i18n/en";
import { moment } from "@/lib/format";

/** What happened: the number of unread lines, and the lines. Opening it reads them. */
export function Bell() {
  const { texts, language } = useSpeech();
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const told = useQuery({ queryKey: ["notifications"], queryFn: api.notifications });
  useEffect(() => {
    const live = new EventSource("/api/v1/live");
    const ask = (key: string) => () => void client.invalidateQueries({ queryKey: [key] });
    live.addEventListener("notification", ask("notifications"));
    live.addEventListener("import", ask("imports"));
    live.addEventListener("reset", ask("notifications"));
    return () => {
      live.close();
    };
  }, [client]);
  const unread = told.data?.unread ?? 0;
  const newest = told.data?.items[0]?.id;
  const toggle = async () => {
    setOpen(!open);
    if (open || newest === undefined || unread === 0) return;
    await api.markRead(newest);
    await client.invalidateQueries({ queryKey: ["notifications"] });
  };
  const label = `${texts.notifications}: ${fill(texts.unreadCount, { count: unread })}`;
  return (
    <div className="bell">
      <button aria-expanded={open} aria-label={label} title={label} onClick={() => void toggle()}>
        <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
          <path
            d="M2 10h10l-1.5-2V6a3.5 3.5 0 0 0-7 0v2zM5.5 12h3"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.5"
          />
        </svg>
        {unread > 0 && <b className="unread">{unread > 99 ? "99+" : unread}</b>}
      </button>
      {open && (
        <section className="panel lines" aria-label={texts.notifications}>
          {told.isError && (
            <p className="error" role="alert">
              {texts.failed}
            </p>
          )}
          {told.data?.items.length === 0 && <p className="quiet">{texts.noNotifications}</p>}
          <ul>
            {told.data?.items.map((item) => (
              <li key={item.id} className={item.unread ? "new" : undefined}>
                {line(item, texts)} <span className="quiet">{moment(item.created, language)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function line(item: NotificationItem, texts: Texts): string {
  const behind = item.source === null ? "" : fill(texts.behindSource, { source: item.source });
  const many = item.count > 1 && (item.kind === "silent" || item.kind === "back");
  const text = many ? texts[`told_${item.kind}_many` as keyof Texts] : texts[`told_${item.kind}`];
  const name = item.equipmentId ?? item.detail ?? item.source ?? "";
  return fill(text, { count: item.count, source: behind, name }).trim();
}
