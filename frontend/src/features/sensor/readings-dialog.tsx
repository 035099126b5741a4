"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { Dialog } from "@/components/dialog";
import { Failure, Nothing, Skeleton } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";

import { History } from "./history";
import { OriginName } from "./origin-name";

const SHOWN = 500;

interface Props {
  id: string;
  unit: string | null;
  from: number;
  to: number;
  onClose: () => void;
}

/** What lies behind a point of the chart: its readings, by whom they came, and of each what stood
 * there before. */
export function ReadingsDialog(props: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [opened, setOpened] = useState<string | null>(null);
  const title =
    opened === null
      ? fill(texts.readingsOf, { span: format.span(props.from, props.to) })
      : fill(texts.historyOf, { time: format.moment(opened) });
  return (
    <Dialog title={title} onClose={props.onClose}>
      {opened === null ? (
        <Readings {...props} onOpen={setOpened} />
      ) : (
        <History
          {...props}
          timestamp={opened}
          onBack={() => {
            setOpened(null);
          }}
        />
      )}
    </Dialog>
  );
}

function Readings({ id, unit, from, to, onOpen }: Props & { onOpen: (timestamp: string) => void }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const hasHistory = useHasHistory();
  const readings = useQuery({
    queryKey: ["readings", id, from, to],
    queryFn: () =>
      api.readings(id, new Date(from).toISOString(), new Date(to).toISOString(), SHOWN),
    gcTime: 0,
    placeholderData: undefined,
  });
  const page = readings.data;
  const decimals = decimalsOf(unit);
  if (readings.isPending) return <Skeleton lines={5} />;
  if (!page) return <Failure error={readings.error} onAgain={() => void readings.refetch()} />;
  if (page.items.length === 0) return <Nothing>{texts.noReadings}</Nothing>;
  return (
    <>
      <div className="data-table scroll" tabIndex={0} role="region" aria-label={texts.readings}>
        <table>
          <thead>
            <tr>
              <th>{texts.timestamp}</th>
              <th className="num">{texts.value}</th>
              <th>{texts.origin}</th>
              {hasHistory && (
                <th>
                  <span className="visually-hidden">{texts.action}</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {page.items.map((one) => (
              <tr key={one.timestamp}>
                <td>{format.moment(one.timestamp)}</td>
                <td className="num strong">
                  {format.number(one.value, decimals)} {unit}
                </td>
                <td>
                  <OriginName origin={one.origin} />
                </td>
                {hasHistory && (
                  <td className="num">
                    <button
                      className="link"
                      aria-label={fill(texts.whereFromOf, { time: format.moment(one.timestamp) })}
                      onClick={() => {
                        onOpen(one.timestamp);
                      }}
                    >
                      {texts.whereFrom}
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {page.nextCursor !== null && (
        <p className="quiet">{fill(texts.firstReadings, { count: format.count(SHOWN) })}</p>
      )}
    </>
  );
}

/** Where what stood before is not kept, nobody is offered it. */
function useHasHistory(): boolean {
  const status = useQuery({ queryKey: ["status"], queryFn: api.status, staleTime: Infinity });
  return status.data?.engines.readings === "duckdb";
}
