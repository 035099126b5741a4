"use client";

import { useQuery } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { ImportItem } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { Failure, Skeleton } from "@/components/states";
import { useFormat, useSpeech } from "@/i18n/language";

const SHOWN = 10;

/** What undoing an import would do, before it is done. */
export function Undo(props: { item: ImportItem; onUndo: () => void; onKeep: () => void }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const preview = useQuery({
    queryKey: ["undo", props.item.id],
    queryFn: () => api.undoPreview(props.item.id),
    gcTime: 0,
    placeholderData: undefined,
  });
  const found = preview.data;
  const figures: [string, number][] = found
    ? [
        [texts.undoGo, found.removed],
        [texts.undoBack, found.restored],
        [texts.undoChanged, found.changed],
        [texts.undoOvertaken, found.overtaken],
      ]
    : [];
  return (
    <Dialog title={`${texts.undoTitle}: ${props.item.fileName}`} onClose={props.onKeep}>
      {preview.isPending && <Skeleton lines={5} />}
      {preview.isError && <Failure error={preview.error} onAgain={() => void preview.refetch()} />}
      {found && (
        <>
          <dl className="undo-figures">
            {figures.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{format.count(value)}</dd>
              </div>
            ))}
          </dl>
          <table>
            <thead>
              <tr>
                <th>{texts.sensor}</th>
                <th className="num">{texts.undoGo}</th>
                <th className="num">{texts.undoBack}</th>
              </tr>
            </thead>
            <tbody>
              {found.items.slice(0, SHOWN).map((item) => (
                <tr key={item.equipmentId}>
                  <td className="strong">{item.equipmentId}</td>
                  <td className="num">{format.count(item.removed)}</td>
                  <td className="num">{format.count(item.restored)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <div className="row ends">
            <button onClick={props.onKeep}>{texts.keep}</button>
            <button className="primary" onClick={props.onUndo}>
              {texts.undoNow}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
