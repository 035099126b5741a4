"use client";

import Link from "next/link";

import { useSpeech } from "@/i18n/language";

export function Empty() {
  const { texts } = useSpeech();
  const origin = typeof location === "undefined" ? "http://localhost:8000" : location.origin;
  return (
    <section className="panel">
      <h2>{texts.listening}</h2>
      <p className="quiet">{texts.emptyHelp}</p>
      <pre>
        {`curl ${origin}/api/v1/readings -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"equipmentId": "EQ-12495", "value": 78.42, "timestamp": "${new Date().toISOString()}"}'`}
      </pre>
      <Link className="button" href="/imports">
        {texts.imports}
      </Link>
    </section>
  );
}
