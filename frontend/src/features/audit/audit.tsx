"use client";

import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { identity, type AuditEntry } from "@/api/identity";
import { Field } from "@/components/field";
import { reasonOf } from "@/components/fault";
import { NotThere } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { save } from "@/lib/save";

/** Who changed what: newest first, searched, exported, verified. */
export function Audit() {
  const { texts } = useSpeech();
  const format = useFormat();
  const [q, setQ] = useState("");
  const [verdict, setVerdict] = useState<string | null>(null);
  const pages = useInfiniteQuery({
    queryKey: ["audit", q],
    queryFn: ({ pageParam }) => identity.audit(q, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const entries = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const verify = async () => {
    try {
      const found = await identity.verifyAudit();
      setVerdict(
        found.brokenAt === null
          ? fill(texts.verified, { entries: found.entries, head: found.head })
          : fill(texts.brokenChain, { entry: found.brokenAt }),
      );
    } catch (error) {
      setVerdict(reasonOf(error, texts.unreachable));
    }
  };
  const download = async () => {
    const address = `/api/v1/audit?${new URLSearchParams({ q, limit: "10000" }).toString()}`;
    const answer = await fetch(address, { headers: { accept: "text/csv" } });
    if (answer.ok) save(await answer.blob(), "audit.csv");
    else setVerdict(texts.unreachable);
  };
  return (
    <section className="panel audit" aria-label={texts.audit}>
      <h2>{texts.audit}</h2>
      <div className="row">
        <Field label={texts.searchAudit} type="search" value={q} onText={setQ} />
        <button onClick={() => void download()}>{texts.downloadCsv}</button>
        <button onClick={() => void verify()}>{texts.verify}</button>
      </div>
      {verdict && (
        <p role="status" style={{ overflowWrap: "anywhere" }}>
          {verdict}
        </p>
      )}
      <NotThere asked={pages} />
      {pages.data && entries.length === 0 && <p className="quiet">{texts.noEntries}</p>}
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>{texts.when}</th>
              <th>{texts.who}</th>
              <th>{texts.what}</th>
              <th>{texts.onWhat}</th>
              <th>{texts.from}</th>
              <th>{texts.beforeAfter}</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.id}>
                <td>{format.moment(entry.at)}</td>
                <td>{entry.actor}</td>
                <td>{entry.action}</td>
                <td>{entry.target}</td>
                <td>{entry.address || entry.by}</td>
                <td className="quiet">{change(entry)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages.hasNextPage && (
        <button onClick={() => void pages.fetchNextPage()}>{texts.older}</button>
      )}
    </section>
  );
}

function change(entry: AuditEntry): string {
  const [before, after] = [entry.before, entry.after].map((state) =>
    state === null ? "" : JSON.stringify(state),
  );
  return before ? `${before} → ${after ?? ""}` : (after ?? "");
}
