"use client";

import Link from "next/link";

import { fill, useSpeech } from "@/i18n/language";
import { originOf } from "@/lib/origin";

/** By whom a reading came, in words; an import is a link to it. */
export function OriginName({ origin }: { origin: string }) {
  const { texts } = useSpeech();
  const { kind, name, receivedTime } = originOf(origin);
  if (kind === "import")
    return (
      <Link href={`/imports?id=${name}`} className="strong">
        IMP-{name.padStart(4, "0")}
      </Link>
    );
  const words = {
    http: texts.originHttp,
    mqtt: texts.originMqtt,
    "mqtt-broker": texts.originBroker,
    "line-protocol": texts.originLines,
    replay: texts.originReplay,
  };
  const told = kind === null ? name : fill(words[kind], { name });
  return receivedTime ? `${told}, ${texts.receivedTime}` : told;
}
