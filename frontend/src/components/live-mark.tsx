"use client";

import { live, type LiveStatus } from "@/api/live";
import { useLiveStatus } from "@/api/use-live";
import { Icon } from "@/components/icons";
import { Mark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { useNow } from "@/lib/now";

/** Whether what is shown is what is: beside it the plant's time. */
export function LiveMark() {
  const { texts } = useSpeech();
  const format = useFormat();
  const now = useNow();
  const status = useLiveStatus();
  const words: Record<LiveStatus, string> = {
    live: texts.live,
    polling: texts.polling,
    "not-live": texts.notLiveShort,
  };
  return (
    <span className={`live ${status}`} role="status">
      {status === "not-live" ? <Icon name="pause" /> : <i className="beat" aria-hidden="true" />}
      <b>{words[status]}</b>
      <span className="clock" aria-hidden="true">
        {status === "not-live"
          ? `· ${fill(texts.dataUntil, { time: format.clock(live.heardAt) })}`
          : now > 0 && `· ${format.clock(now)} ${format.zoneName()}`}
      </span>
    </span>
  );
}

/** The bar under the top bar, only while the page is not live. */
export function NotLiveBar() {
  const { texts } = useSpeech();
  const format = useFormat();
  const now = useNow();
  const status = useLiveStatus();
  if (status !== "not-live") return null;
  const left = live.nextTryAt === null ? 0 : Math.max(0, live.nextTryAt - now) / 1000;
  return (
    <div className="banner" role="alert">
      <Mark name="gaps" />
      <span>
        {fill(texts.notLive, {
          age: format.duration(Math.max(1, Math.round((now - live.heardAt) / 1000))),
          time: format.clock(live.heardAt),
        })}{" "}
        {left > 0
          ? fill(texts.nextTry, { time: format.duration(Math.ceil(left)) })
          : texts.tryingNow}
      </span>
      <button
        className="plain push"
        onClick={() => {
          live.tryNow();
        }}
      >
        {texts.tryNow}
      </button>
    </div>
  );
}
