"use client";

import Link from "next/link";

import { useMayOperate, useMe } from "@/api/queries";
import { CodeBlock } from "@/components/code-block";
import { Icon } from "@/components/icons";
import { useSpeech } from "@/i18n/language";

const COLUMNS = 84;
const ROWS = 8;
const FIRST = 40 + 3 * COLUMNS;

/** Before the first reading: empty places, how to send one, and that somebody listens. */
export function Empty() {
  const { texts } = useSpeech();
  const me = useMe();
  const mayOperate = useMayOperate();
  const now = new Date().toISOString();
  const curl = [
    `curl -X POST ${location.origin}/api/v1/readings \\`,
    `  -H "Authorization: Bearer $TOKEN" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '{"equipmentId":"EQ-12495","timestamp":"${now}","value":85.2}'`,
  ].join("\n");
  return (
    <section className="empty" aria-label={texts.listening}>
      <svg viewBox={`0 0 ${String(COLUMNS * 11)} ${String(ROWS * 11)}`} aria-hidden="true">
        {Array.from({ length: COLUMNS * ROWS }, (_, index) => (
          <rect
            key={index}
            x={(index % COLUMNS) * 11 + 1}
            y={Math.floor(index / COLUMNS) * 11 + 1}
            width="8.5"
            height="8.5"
            rx="1.5"
            className={index === FIRST ? "first" : undefined}
          />
        ))}
      </svg>
      <h2>{texts.sendFirst}</h2>
      <p className="lead">{texts.emptyHelp}</p>
      <CodeBlock text={curl} />
      <p className="listening" role="status">
        <i aria-hidden="true" /> {texts.listening}
      </p>
      <ul className="ways">
        {mayOperate && (
          <li>
            <Link href="/imports">
              <Icon name="upload" /> {texts.importHistory}
            </Link>
            <p>{texts.importHistoryHelp}</p>
          </li>
        )}
        <li>
          <b>
            <Icon name="chart" /> {texts.tryDemo}
          </b>
          <p>
            <code>pipewatcher demo</code> · {texts.tryDemoHelp}
          </p>
        </li>
        <li>
          {me.data?.role === "admin" ? (
            <Link href="/access">
              <Icon name="key" /> {texts.keysAndFormats}
            </Link>
          ) : (
            <a href="/docs">
              <Icon name="key" /> {texts.keysAndFormats}
            </a>
          )}
          <p>{texts.keysAndFormatsHelp}</p>
        </li>
      </ul>
    </section>
  );
}
