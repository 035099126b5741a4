"use client";

import * as Popover from "@radix-ui/react-popover";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";

import { api } from "@/api/client";
import { Icon } from "@/components/icons";
import { NotificationLines } from "@/components/notification-lines";
import { fill, useSpeech } from "@/i18n/language";

/** What happened: the number of unread lines, and the lines. Opening it reads them. */
export function Bell() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const told = useQuery({
    queryKey: ["notifications"],
    queryFn: () => api.notifications(),
    refetchInterval: 60_000,
  });
  const unread = told.data?.unread ?? 0;
  const newest = told.data?.items[0]?.id;
  const read = async (open: boolean) => {
    if (!open || newest === undefined || unread === 0) return;
    await api.markRead(newest);
    await client.invalidateQueries({ queryKey: ["notifications"] });
  };
  const label = `${texts.notifications}: ${fill(texts.unreadCount, { count: unread })}`;
  return (
    <Popover.Root onOpenChange={(open) => void read(open)}>
      <Popover.Trigger className="icon-only quietly bell" aria-label={label} title={label}>
        <Icon name="bell" />
        {unread > 0 && (
          <b className="unread" aria-hidden="true">
            {unread > 99 ? "99+" : unread}
          </b>
        )}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="menu bell-lines"
          align="end"
          sideOffset={6}
          aria-label={texts.notifications}
        >
          <NotificationLines items={told.data?.items.slice(0, 12) ?? []} failed={told.isError} />
          <Popover.Close asChild>
            <Link className="all" href="/notifications">
              {texts.allNotifications}
            </Link>
          </Popover.Close>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
