"use client";

import { useQuery } from "@tanstack/react-query";

import { api } from "@/api/client";
import { useSpeech } from "@/i18n/language";
import { count } from "@/lib/format";

const SHOWN = 10;

/** What undoing an import would do, before it is done. */
export function Undo(props: { id: number; onUndo: () => void; onKeep: () => void }) {
  const { texts, language } = useSpeech();
  const preview = useQuery({
    queryKey: ["undo", props.id],
    queryFn: () => api.undoPreview(props.id),
    gcTime: 0,
  });
  if (preview.isPending)
    return (
      <p className="quiet" role="status">
        …
      </p>
    );
  if (preview.isError) {
    return (
      <p className="error" role="alert">
        {texts.failed} <button onClick={() => void preview.refetch()}>{texts.again}</button>
      </p>
    );
  }
  const found = preview.data;
  const figures: [string, number][] = [
    [texts.undoGo, found.removed],
    [texts.undoBack, found.restored],
    [texts.undoChanged, found.changed],
    [texts.undoOvertaken, found.overtaken],
    [texts.sensors, found.sensors],
  ];
  return (
    <div aria-label={texts.undoTitle} role="group">
      <h3>{texts.undoTitle}</h3>
      <div className="figures">
        {figures.map(([label, value]) => (
          <div key={label} className="figure">
            <span>{label}</span>
            <b>{count(value, language)}</b>
          </div>
        ))}
      </div>
      <table>
        <thead>
          <tr>
            <th>{texts.sensor}</th>
            <th>{texts.undoGo}</th>
            <th>{texts.undoBack}</th>
          </tr>
        </thead>
        <tbody>
          {found.items.slice(0, SHOWN).map((item) => (
            <tr key={item.equipmentId}>
              <td>{item.equipmentId}</td>
              <td>{count(item.removed, language)}</td>
              <td>{count(item.restored, language)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div className="row">
        <button className="primary" onClick={props.onUndo}>
          {texts.undoNow}
        </button>
        <button onClick={props.onKeep}>{texts.keep}</button>
      </div>
    </div>
  );
}
