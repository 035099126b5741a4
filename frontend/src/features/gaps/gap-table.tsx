"use client";

import Link from "next/link";

import type { GapItem, IncidentItem } from "@/api/types";
import { GapCause } from "@/components/gap-cause";
import { GapStateMark } from "@/components/marks";
import { useFormat, useSpeech } from "@/i18n/language";
import { sensorLink } from "@/lib/view";

interface Props {
  gaps: readonly GapItem[];
  incidents: readonly IncidentItem[];
  sourceOf: (id: string) => string | null;
  chosen: ReadonlySet<string>;
  now: number;
  mayOperate: boolean;
  onChoose: (gap: GapItem) => void;
  onRequest: (gap: GapItem) => void;
  onState: (gap: GapItem, state: "open" | "accepted") => void;
}

export function GapTable(props: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <table className="gap-table">
      <thead>
        <tr>
          <th>
            <span className="visually-hidden">{texts.choose}</span>
          </th>
          <th>{texts.sensor}</th>
          <th>{texts.from}</th>
          <th>{texts.until}</th>
          <th className="num">{texts.duration}</th>
          <th className="num">{texts.missingReadings}</th>
          <th>{texts.likelyCause}</th>
          <th>{texts.state}</th>
          <th>
            <span className="visually-hidden">{texts.action}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {props.gaps.map((gap) => {
          const end = gap.end === null ? props.now : Date.parse(gap.end);
          const sameDay = gap.end !== null && format.day(gap.start) === format.day(gap.end);
          return (
            <tr key={gap.id} className={props.chosen.has(gap.id) ? "chosen" : undefined}>
              <td>
                {gap.state !== "filled" && props.mayOperate && (
                  <input
                    type="checkbox"
                    aria-label={`${texts.choose} ${gap.equipmentId} ${format.minute(gap.start)}`}
                    checked={props.chosen.has(gap.id)}
                    onChange={() => {
                      props.onChoose(gap);
                    }}
                  />
                )}
              </td>
              <td>
                <Link className="id" href={sensorLink(gap.equipmentId)}>
                  {gap.equipmentId}
                </Link>
              </td>
              <td>{format.minute(gap.start)}</td>
              <td>
                {gap.end === null
                  ? texts.goesOn
                  : sameDay
                    ? format.time(gap.end)
                    : format.minute(gap.end)}
              </td>
              <td className="num strong">
                {format.duration((end - Date.parse(gap.start)) / 1000)}
              </td>
              <td className="num">{format.count(gap.expected)}</td>
              <td className="quieter cause">
                <GapCause {...props} gap={gap} />
              </td>
              <td title={gap.changedBy ?? undefined}>
                <GapStateMark state={gap.state} silent={gap.end === null} />
              </td>
              <td className="num">
                <Action {...props} gap={gap} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Action({ gap, mayOperate, onRequest, onState }: Props & { gap: GapItem }) {
  const { texts } = useSpeech();
  const importId = gap.closedBy.find((one) => one.startsWith("import:"))?.slice("import:".length);
  if (importId !== undefined && gap.state !== "open")
    return (
      <Link href={`/imports?id=${importId}`} className="strong">
        IMP-{importId.padStart(4, "0")}
      </Link>
    );
  if (!mayOperate) return null;
  if (gap.state === "open" || gap.state === "partly_filled")
    return (
      <button
        className="link"
        onClick={() => {
          onRequest(gap);
        }}
      >
        {texts.request}
      </button>
    );
  if (gap.state === "accepted" || gap.state === "requested")
    return (
      <button
        className="link"
        onClick={() => {
          onState(gap, "open");
        }}
      >
        {gap.state === "accepted" ? texts.reopen : texts.takeBack}
      </button>
    );
  return null;
}
