"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { RetentionItem } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { reasonOf } from "@/components/fault";
import { Failure, Skeleton } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";

interface Props {
  days: number | null;
  onKeep: () => void;
  onDone: (item: RetentionItem) => void;
}

/** What keeping only so many days would drop, before it is set. */
export function WouldDrop({ days, onKeep, onDone }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const preview = useQuery({
    queryKey: ["retention", days],
    queryFn: () => (days === null ? null : api.wouldDrop(days)),
    gcTime: 0,
    placeholderData: undefined,
  });
  const drop = preview.data?.wouldDrop;
  const set = async () => {
    setBusy(true);
    try {
      onDone(await api.setRetention(days));
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
      setBusy(false);
    }
  };
  const title =
    days === null ? texts.keepForEver : fill(texts.keepOnly, { days: format.count(days) });
  return (
    <Dialog title={title} onClose={onKeep}>
      {preview.isPending && <Skeleton lines={4} />}
      {preview.isError && <Failure error={preview.error} onAgain={() => void preview.refetch()} />}
      {preview.isSuccess && (
        <>
          {drop && (
            <dl className="undo-figures">
              <div>
                <dt>{texts.readingsThatGo}</dt>
                <dd>{format.count(drop.readings)}</dd>
              </div>
              <div>
                <dt>{texts.sensors}</dt>
                <dd>{format.count(drop.sensors)}</dd>
              </div>
            </dl>
          )}
          {drop?.first && drop.last && (
            <p>{fill(texts.fromTo, { span: format.span(drop.first, drop.last) })}</p>
          )}
          <p className="quiet">{days === null ? texts.keepForEverHelp : texts.dropHelp}</p>
          {fault && (
            <p className="error" role="alert">
              {fault}
            </p>
          )}
          <div className="row ends">
            <button onClick={onKeep}>{texts.leaveAsIs}</button>
            <button className="primary" disabled={busy} onClick={() => void set()}>
              {drop && drop.readings > 0
                ? fill(drop.readings === 1 ? texts.setAndDropOne : texts.setAndDrop, {
                    count: format.count(drop.readings),
                  })
                : texts.setIt}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
