"use client";

import { useQuery } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { WriteItem } from "@/api/types";
import { Failure, Skeleton } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { decimalsOf } from "@/lib/format";

import { OriginName } from "./origin-name";

interface Props {
  id: string;
  unit: string | null;
  timestamp: string;
  onBack: () => void;
}

/** Who wrote this value, and what stood there before. */
export function History({ id, unit, timestamp, onBack }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const history = useQuery({
    queryKey: ["history", id, timestamp],
    queryFn: () => api.history(id, timestamp),
    gcTime: 0,
    placeholderData: undefined,
  });
  const decimals = decimalsOf(unit);
  return (
    <>
      {history.isPending && <Skeleton lines={3} />}
      {history.isError && <Failure error={history.error} onAgain={() => void history.refetch()} />}
      {history.data && (
        <>
          <table aria-label={fill(texts.historyOf, { time: format.moment(timestamp) })}>
            <thead>
              <tr>
                <th>{texts.written}</th>
                <th className="num">{texts.value}</th>
                <th>{texts.origin}</th>
                <th>{texts.writtenWhen}</th>
              </tr>
            </thead>
            <tbody>
              {history.data.items.map((write, place) => (
                <tr key={place} className={write.stands ? "strong" : "quieter"}>
                  <td>{write.stands ? texts.stands : texts.overwritten}</td>
                  <td className="num">
                    {format.number(write.value, decimals)} {unit}
                  </td>
                  <td>
                    <OriginName origin={write.origin} />
                    <File write={write} />
                  </td>
                  <td>{write.accepted ? format.moment(write.accepted) : texts.notKept}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p className="quiet">{texts.historyHelp}</p>
        </>
      )}
      <div className="row ends">
        <button autoFocus onClick={onBack}>
          {texts.backToReadings}
        </button>
      </div>
    </>
  );
}

function File({ write }: { write: WriteItem }) {
  const { texts } = useSpeech();
  if (write.importId === null) return null;
  const line = write.line === null ? texts.fileGone : fill(texts.line, { line: write.line });
  return (
    <span className="quiet">
      {" "}
      {write.fileName}, {line}
    </span>
  );
}
