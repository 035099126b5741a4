"use client";

import Link from "next/link";

import type { NotificationItem } from "@/api/types";
import { Icon, type IconName } from "@/components/icons";
import { Mark, type MarkName } from "@/components/marks";
import type { Texts } from "@/i18n/en";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { useNow } from "@/lib/now";
import { sensorLink } from "@/lib/view";

const MARKS: Partial<Record<NotificationItem["kind"], MarkName>> = {
  silent: "silent",
  back: "ok",
  new_sensor: "new",
  import_done: "imported",
  import_failed: "rejected",
  gap_closed: "imported",
  clock_skew: "late",
};

export function NotificationLines(props: { items: readonly NotificationItem[]; failed: boolean }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const now = useNow();
  return (
    <>
      {props.failed && (
        <p className="error" role="alert">
          {texts.failed}
        </p>
      )}
      {!props.failed && props.items.length === 0 && (
        <p className="quiet">{texts.noNotifications}</p>
      )}
      <ul className="told">
        {props.items.map((item) => (
          <li key={item.id} className={item.unread ? "unread-line" : undefined}>
            <Sign kind={item.kind} />
            <span>
              <Line item={item} />{" "}
              <time dateTime={item.created} title={format.moment(item.created)}>
                {format.ago(item.created, now)}
              </time>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Sign({ kind }: { kind: NotificationItem["kind"] }) {
  const mark = MARKS[kind];
  if (mark) return <Mark name={mark} />;
  const icon: IconName = kind === "imbalance" ? "scale" : "bell";
  return <Icon name={icon} />;
}

function Line({ item }: { item: NotificationItem }) {
  const { texts } = useSpeech();
  const text = line(item, texts);
  if (item.equipmentId !== null) return <Link href={sensorLink(item.equipmentId)}>{text}</Link>;
  if (item.importId !== null)
    return <Link href={`/imports?id=${String(item.importId)}`}>{text}</Link>;
  if (item.kind === "gap_closed") return <Link href="/gaps?state=filled">{text}</Link>;
  if (item.kind === "silent") return <Link href="/sensors?state=silent">{text}</Link>;
  return text;
}

export function line(item: NotificationItem, texts: Texts): string {
  const behind = item.source === null ? "" : fill(texts.behindSource, { source: item.source });
  const text =
    item.count > 1 && isOfMany(item.kind)
      ? texts[`told_${item.kind}_many`]
      : texts[`told_${item.kind}`];
  const name = item.equipmentId ?? item.detail ?? item.source ?? "";
  return fill(text, { count: item.count, source: behind, name }).trim();
}

function isOfMany(kind: NotificationItem["kind"]): kind is "silent" | "back" | "gap_closed" {
  return kind === "silent" || kind === "back" || kind === "gap_closed";
}
