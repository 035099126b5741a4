"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";

import { api } from "@/api/client";
import type { Forecast, ImportItem } from "@/api/types";
import { Icon } from "@/components/icons";
import { Mark } from "@/components/marks";
import { Failure, Skeleton } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { csv, save } from "@/lib/save";
import { suspects } from "@/lib/suspects";
import { sensorLink } from "@/lib/view";

import { Outcomes } from "./outcomes";
import { RejectedReasons } from "./rejected-reasons";

const SHOWN = 8;

interface Props {
  item: ImportItem;
  mayOperate: boolean;
  busy: boolean;
  onApply: () => void;
  onDiscard: () => void;
}

/** What this file would change. Nothing is written until somebody applies it. */
export function Consequences({ item, mayOperate, busy, onApply, onDiscard }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const forecast = useQuery({
    queryKey: ["forecast", item.id],
    queryFn: () => api.forecast(item.id),
    staleTime: Infinity,
    placeholderData: undefined,
  });
  if (forecast.isPending) return <Skeleton lines={7} />;
  if (forecast.isError)
    return <Failure error={forecast.error} onAgain={() => void forecast.refetch()} />;
  const found = forecast.data;
  const changing = found.new + found.corrected;
  return (
    <div className="consequences" role="group" aria-label={texts.consequences}>
      <Outcomes counts={{ ...found, rejected: item.receipt.rejected }} />
      <p className="in-short">
        <b>
          {fill(found.sensors === 1 ? texts.touchesSensor : texts.touchesSensors, {
            count: format.count(found.sensors),
          })}
        </b>
        {found.newSensors > 0 && (
          <span>{fill(texts.ofThemNew, { count: format.count(found.newSensors) })}</span>
        )}
        {found.start && found.end && <span>{format.span(found.start, found.end)}</span>}
        {found.gapsClosed > 0 && (
          <span>
            {fill(found.gapsClosed === 1 ? texts.wouldCloseGap : texts.wouldCloseGaps, {
              count: format.count(found.gapsClosed),
            })}
          </span>
        )}
        {found.gapsPartlyFilled > 0 && (
          <span>{fill(texts.gapsPartly, { count: format.count(found.gapsPartlyFilled) })}</span>
        )}
        {found.liveOverwritten > 0 && (
          <span className="warn">
            <Mark name="corrected" />{" "}
            {fill(texts.liveOverwrittenCount, { count: format.count(found.liveOverwritten) })}
          </span>
        )}
      </p>
      <Suspicions found={found} />
      <Changes found={found} />
      {found.liveRows.length > 0 && <LiveRows found={found} />}
      <RejectedReasons item={item} />
      <footer className="apply">
        {mayOperate && (
          <button className="primary" disabled={busy} onClick={onApply}>
            {fill(changing === 1 ? texts.applyOne : texts.applyCount, {
              count: format.count(changing),
            })}
          </button>
        )}
        {item.receipt.rejected > 0 && (
          <a className="button" href={`/api/v1/imports/${String(item.id)}/rejected.csv`}>
            <Icon name="download" /> {texts.rejectedRows}
          </a>
        )}
        {mayOperate && (
          <button className="quietly" disabled={busy} onClick={onDiscard}>
            {texts.discard}
          </button>
        )}
        <span className="quiet push">{texts.undoAnyTime}</span>
      </footer>
    </div>
  );
}

function Suspicions({ found }: { found: Forecast }) {
  const { texts } = useSpeech();
  const format = useFormat();
  if (found.suspicions.length === 0) return null;
  return (
    <section className="suspicions" aria-label={texts.suspicions}>
      <h3>
        <Mark name="late" /> {texts.suspicions}
      </h3>
      <ul>
        {found.suspicions.map((one) => (
          <li key={one.kind}>
            {fill(texts[`suspect_${one.kind}`], {
              readings: format.count(one.readings),
              names: suspects(one),
              import: one.importId === null ? "" : `#${String(one.importId)}`,
            })}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Changes({ found }: { found: Forecast }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [all, setAll] = useState(false);
  const shown = all ? found.changes : found.changes.slice(0, SHOWN);
  const table = () => {
    save(
      csv(
        [
          "equipmentId",
          "countBefore",
          "countAfter",
          "meanBefore",
          "meanAfter",
          "timeWeightedMeanBefore",
          "timeWeightedMeanAfter",
          "coverageBefore",
          "coverageAfter",
        ],
        found.changes.map((one) => [
          one.equipmentId,
          one.countBefore,
          one.countAfter,
          one.meanBefore,
          one.meanAfter,
          one.timeWeightedMeanBefore,
          one.timeWeightedMeanAfter,
          one.coverageBefore,
          one.coverageAfter,
        ]),
      ),
      "changes.csv",
    );
  };
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={texts.meansThatMove}>
      <table className="changes">
        <thead>
          <tr>
            <th>{texts.sensor}</th>
            <th className="num">{texts.readings}</th>
            <th className="num">{texts.meanInSpan}</th>
            <th className="num">
              {texts.changeColumn}{" "}
              <button className="link tiny" onClick={table}>
                CSV
              </button>
            </th>
            <th className="num">{texts.timeWeightedMean}</th>
            <th className="num">{texts.coverage}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => {
            const moved = one.meanBefore === null ? null : one.meanAfter - one.meanBefore;
            return (
              <tr key={one.equipmentId}>
                <td>
                  <Link className="id" href={sensorLink(one.equipmentId)}>
                    {one.equipmentId}
                  </Link>
                </td>
                <td className="num">
                  {format.count(one.countBefore)} → <b>{format.count(one.countAfter)}</b>
                </td>
                <td className="num">
                  {format.number(one.meanBefore)} → <b>{format.number(one.meanAfter)}</b>
                </td>
                <td className="num">
                  {moved === null ? (
                    <span className="quiet">{texts.isNewSensor}</span>
                  ) : (
                    <>
                      <b>{format.change(moved)}</b>
                      {one.meanBefore !== 0 && one.meanBefore !== null && (
                        <span className="quieter">
                          {" "}
                          ({format.change((moved / Math.abs(one.meanBefore)) * 100)}
                          {"\u202f"}%)
                        </span>
                      )}
                    </>
                  )}
                </td>
                <td className="num">
                  {format.number(one.timeWeightedMeanBefore)} →{" "}
                  <b>{format.number(one.timeWeightedMeanAfter)}</b>
                </td>
                <td className="num">
                  {format.percent(one.coverageBefore)} → <b>{format.percent(one.coverageAfter)}</b>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {found.changes.length > SHOWN && !all && (
        <button
          className="link more-rows"
          onClick={() => {
            setAll(true);
          }}
        >
          {fill(texts.showAllSensors, { count: format.count(found.changes.length) })}
        </button>
      )}
    </div>
  );
}

function LiveRows({ found }: { found: Forecast }) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={texts.liveOverwritten}>
      <table>
        <caption>{texts.liveOverwritten}</caption>
        <thead>
          <tr>
            <th>{texts.sensor}</th>
            <th>{texts.timestamp}</th>
            <th className="num">{texts.storedValue}</th>
            <th className="num">{texts.fileValue}</th>
          </tr>
        </thead>
        <tbody>
          {found.liveRows.slice(0, SHOWN).map((row) => (
            <tr key={`${row.equipmentId} ${row.timestamp}`}>
              <td>{row.equipmentId}</td>
              <td>{format.moment(row.timestamp)}</td>
              <td className="num">{format.number(row.stored)}</td>
              <td className="num strong">{format.number(row.value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
