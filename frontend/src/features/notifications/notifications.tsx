"use client";

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { api } from "@/api/client";
import { NotificationLines } from "@/components/notification-lines";
import { PageHead } from "@/components/page-head";
import { Failure, Skeleton } from "@/components/states";
import { useSpeech } from "@/i18n/language";

/** All that happened, newest first. Seen here, it is read. */
export function Notifications() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const pages = useInfiniteQuery({
    queryKey: ["notifications", "all"],
    queryFn: ({ pageParam }) => api.notifications(pageParam),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const newest = items[0]?.id;
  useEffect(() => {
    if (newest === undefined) return;
    void api
      .markRead(newest)
      .then(() => client.invalidateQueries({ queryKey: ["notifications"], exact: true }));
  }, [newest, client]);
  return (
    <main>
      <PageHead title={texts.notifications} />
      <section className="panel narrow">
        {pages.isPending && <Skeleton lines={8} />}
        {pages.isError && items.length === 0 ? (
          <Failure error={pages.error} onAgain={() => void pages.refetch()} />
        ) : (
          !pages.isPending && <NotificationLines items={items} failed={false} />
        )}
        {pages.hasNextPage && (
          <button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            {texts.older}
          </button>
        )}
      </section>
    </main>
  );
}
