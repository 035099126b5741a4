"use client";

import { useQuery } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { StatusPage } from "@/api/types";
import { Icon } from "@/components/icons";
import { NotThere } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { count } from "@/lib/format";
import { csv, save } from "@/lib/save";

/** What came in against what is stored: the difference is zero, or it is said loudly. */
export function Balance() {
  const { texts } = useSpeech();
  const status = useQuery({ queryKey: ["status"], queryFn: api.status, refetchInterval: 2_000 });
  return (
    <>
      <p className="quiet">{texts.balanceHelp}</p>
      {!status.data && (
        <section className="panel">
          <NotThere asked={status} />
        </section>
      )}
      {status.data && <Sheet status={status.data} />}
    </>
  );
}

const COLUMNS = [
  "door",
  "received",
  "receivedSinceStart",
  "rejected",
  "rejectedSinceStart",
  "stored",
  "storedSinceStart",
  "new",
  "identical",
  "corrected",
  "repeated",
  "skipped",
  "unfolded",
] as const;

function doorsCsv(doors: NonNullable<StatusPage["balance"]>["doors"]): Blob {
  return csv(
    COLUMNS,
    doors.map((door) => COLUMNS.map((column) => door[column])),
  );
}

function Sheet({ status }: { status: StatusPage }) {
  const { texts, language } = useSpeech();
  const format = useFormat();
  const sheet = status.balance;
  if (sheet === null) return <p className="quiet">{texts.noBalance}</p>;
  const figures: [string, number][] = [
    [texts.receivedEver, sheet.received],
    [texts.rejectedEver, sheet.rejected],
    [texts.acceptedEver, sheet.accepted],
    [texts.storedEver, sheet.stored],
    [texts.waiting, sheet.inCommitLog],
    [texts.difference, sheet.difference],
  ];
  return (
    <>
      <section className="panel" aria-label={texts.balance}>
        <div className="figures">
          {figures.map(([label, value]) => (
            <div key={label} className="figure">
              <span>{label}</span>
              <b>{count(value, language)}</b>
            </div>
          ))}
        </div>
        {sheet.difference === 0 ? (
          <p className="quiet">{texts.balanced}</p>
        ) : (
          <p className="error" role="alert">
            {texts.unbalanced}
          </p>
        )}
        <p className="quiet">
          {fill(texts.sinceStartLine, {
            time: format.moment(status.started),
            received: count(status.stages.received, language),
            accepted: count(status.stages.accepted, language),
            rejected: count(status.stages.rejected, language),
          })}
        </p>
      </section>
      <section className="panel" aria-label={texts.byDoor}>
        <header className="row">
          <h2>{texts.byDoor}</h2>
          <button
            className="small push"
            onClick={() => {
              save(doorsCsv(sheet.doors), "pipewatcher-balance.csv");
            }}
          >
            <Icon name="download" /> CSV
          </button>
        </header>
        <table>
          <thead>
            <tr>
              <th>{texts.door}</th>
              <th className="num">{texts.receivedEver}</th>
              <th className="num">{texts.sinceStart}</th>
              <th className="num">{texts.rejectedEver}</th>
              <th className="num">{texts.sinceStart}</th>
              <th className="num">{texts.storedEver}</th>
              <th className="num">{texts.sinceStart}</th>
              <th className="num">{texts.isNewRow}</th>
              <th className="num">{texts.identical}</th>
              <th className="num">{texts.corrected}</th>
              <th className="num">{texts.repeated}</th>
              <th className="num">{texts.skippedRows}</th>
              <th className="num">{texts.unfolded}</th>
            </tr>
          </thead>
          <tbody>
            {sheet.doors.map((door) => (
              <tr key={door.door}>
                <td>{door.door}</td>
                <td className="num">{count(door.received, language)}</td>
                <td className="num">{count(door.receivedSinceStart, language)}</td>
                <td className="num">{count(door.rejected, language)}</td>
                <td className="num">{count(door.rejectedSinceStart, language)}</td>
                <td className="num">{count(door.stored, language)}</td>
                <td className="num">{count(door.storedSinceStart, language)}</td>
                <td className="num">{count(door.new, language)}</td>
                <td className="num">{count(door.identical, language)}</td>
                <td className="num">{count(door.corrected, language)}</td>
                <td className="num">{count(door.repeated, language)}</td>
                <td className="num">{count(door.skipped, language)}</td>
                <td className="num">{count(door.unfolded, language)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}
