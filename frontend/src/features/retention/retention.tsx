"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api } from "@/api/client";
import { useMe } from "@/api/queries";
import type { RetentionItem } from "@/api/types";
import { Field } from "@/components/field";
import { Failure, Skeleton } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";

import { WouldDrop } from "./would-drop";

const DAYS_MIN = 31;
const DAYS_MAX = 36_600;

/** For how long raw readings are kept; an admin changes it, and is told first what would go. */
export function Retention() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const me = useMe();
  const found = useQuery({ queryKey: ["retention"], queryFn: api.retention });
  const [asked, setAsked] = useState<{ days: number | null } | null>(null);
  const [done, setDone] = useState(false);
  return (
    <section className="panel" aria-label={texts.retention}>
      <h2>{texts.retention}</h2>
      {found.isPending && <Skeleton lines={2} />}
      {found.isError && !found.data && (
        <Failure error={found.error} onAgain={() => void found.refetch()} />
      )}
      {found.data && <Present item={found.data} />}
      {found.data && me.data?.role === "admin" && (
        <Ask
          key={found.data.days}
          days={found.data.days}
          onAsk={(days) => {
            setDone(false);
            setAsked({ days });
          }}
        />
      )}
      {done && <p role="status">{texts.retentionChanged}</p>}
      {asked && (
        <WouldDrop
          days={asked.days}
          onKeep={() => {
            setAsked(null);
          }}
          onDone={(item) => {
            client.setQueryData(["retention"], item);
            setAsked(null);
            setDone(true);
          }}
        />
      )}
    </section>
  );
}

function Present({ item }: { item: RetentionItem }) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <>
      <p>
        {item.days === null
          ? texts.keptForEver
          : fill(texts.keptDays, { days: format.count(item.days) })}{" "}
        {item.changedBy && (
          <span className="quiet">{fill(texts.keptSetBy, { name: item.changedBy })}</span>
        )}
      </p>
      {item.oldest && (
        <p className="quiet">{fill(texts.refusedBefore, { time: format.moment(item.oldest) })}</p>
      )}
      {item.keptFrom && (
        <p className="quiet">
          {fill(texts.onlyMeansBefore, { time: format.moment(item.keptFrom) })}
        </p>
      )}
    </>
  );
}

function Ask({ days, onAsk }: { days: number | null; onAsk: (days: number | null) => void }) {
  const { texts } = useSpeech();
  const [typed, setTyped] = useState(days === null ? "" : String(days));
  const wanted = typed === "" ? null : Number(typed);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onAsk(wanted);
  };
  return (
    <form className="row" onSubmit={submit}>
      <Field
        label={texts.keepDays}
        type="number"
        min={DAYS_MIN}
        max={DAYS_MAX}
        placeholder={texts.forEver}
        value={typed}
        onText={setTyped}
      />
      <button className="primary" type="submit" disabled={wanted === days}>
        {texts.seeWhatGoes}
      </button>
      <span className="quiet">{texts.keepDaysHelp}</span>
    </form>
  );
}
