"use client";

import { useQuery } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { Forecast } from "@/api/types";
import { fill, useSpeech } from "@/i18n/language";
import { count, moment, number } from "@/lib/format";
import { suspects } from "@/lib/shape";

const SHOWN = 10;

/** What a dry run found, and the two ways on. */
export function Consequences(props: { id: number; onApply: () => void; onDiscard: () => void }) {
  const { texts, language } = useSpeech();
  const forecast = useQuery({
    queryKey: ["forecast", props.id],
    queryFn: () => api.forecast(props.id),
    staleTime: Infinity,
  });
  if (forecast.isPending)
    return (
      <p className="quiet" role="status">
        …
      </p>
    );
  if (forecast.isError) {
    return (
      <p className="error" role="alert">
        {texts.failed} <button onClick={() => void forecast.refetch()}>{texts.again}</button>
      </p>
    );
  }
  const found = forecast.data;
  return (
    <div aria-label={texts.consequences} role="group">
      <h3>{texts.consequences}</h3>
      <div className="figures">
        {(
          [
            [texts.newSensorsHere, found.newSensors],
            [texts.liveOverwritten, found.liveOverwritten],
          ] as const
        ).map(([label, value]) => (
          <div key={label} className="figure">
            <span>{label}</span>
            <b>{count(value, language)}</b>
          </div>
        ))}
      </div>
      <Suspicions found={found} />
      <Changes found={found} />
      {found.liveRows.length > 0 && (
        <table>
          <caption className="quiet">{texts.liveOverwritten}</caption>
          <thead>
            <tr>
              <th>{texts.sensor}</th>
              <th>{texts.timestamp}</th>
              <th>{texts.storedValue}</th>
              <th>{texts.fileValue}</th>
            </tr>
          </thead>
          <tbody>
            {found.liveRows.slice(0, SHOWN).map((row) => (
              <tr key={`${row.equipmentId} ${row.timestamp}`}>
                <td>{row.equipmentId}</td>
                <td>{moment(row.timestamp, language)}</td>
                <td>{number(row.stored, language)}</td>
                <td>{number(row.value, language)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <div className="row">
        <span className="quiet">{texts.nothingStored}</span>
        <button className="primary" onClick={props.onApply}>
          {texts.apply}
        </button>
        <button onClick={props.onDiscard}>{texts.discard}</button>
      </div>
    </div>
  );
}

function Suspicions({ found }: { found: Forecast }) {
  const { texts, language } = useSpeech();
  if (found.suspicions.length === 0) return null;
  return (
    <>
      <h4>{texts.suspicions}</h4>
      <ul className="errors">
        {found.suspicions.map((one) => (
          <li key={one.kind}>
            {fill(texts[`suspect_${one.kind}`], {
              readings: count(one.readings, language),
              names: suspects(one),
              import: one.importId === null ? "" : `#${String(one.importId)}`,
            })}
          </li>
        ))}
      </ul>
    </>
  );
}

function Changes({ found }: { found: Forecast }) {
  const { texts, language } = useSpeech();
  return (
    <table>
      <thead>
        <tr>
          <th>{texts.sensor}</th>
          <th>{texts.readings}</th>
          <th>{texts.meanBefore}</th>
          <th>{texts.meanAfter}</th>
        </tr>
      </thead>
      <tbody>
        {found.changes.slice(0, SHOWN).map((change) => (
          <tr key={change.equipmentId}>
            <td>{change.equipmentId}</td>
            <td>
              {count(change.countBefore, language)} → {count(change.countAfter, language)}
            </td>
            <td>{number(change.meanBefore, language)}</td>
            <td>{number(change.meanAfter, language)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
