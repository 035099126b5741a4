"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { api } from "@/api/client";
import type { SensorItem } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { reasonOf } from "@/components/fault";
import { Field } from "@/components/field";
import { useSpeech } from "@/i18n/language";

const TEXTS = ["name", "kind", "unit", "location", "equipment", "source"] as const;
const NUMBERS = ["rangeMin", "rangeMax", "cadenceSeconds"] as const;
type TextName = (typeof TEXTS)[number];
type NumberName = (typeof NUMBERS)[number];

const text = (value: string | number | null) => (value === null ? "" : String(value));

/** What people say of a sensor: every field may be empty. */
export function EditSensor({ sensor, onClose }: { sensor: SensorItem; onClose: () => void }) {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const [draft, setDraft] = useState(
    () =>
      Object.fromEntries(
        [...TEXTS, ...NUMBERS].map((name) => [name, text(sensor[name])]),
      ) as Record<TextName | NumberName, string>,
  );
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const labels: Record<TextName | NumberName, string> = {
    name: texts.name,
    kind: texts.kind,
    unit: texts.unit,
    location: texts.location,
    equipment: texts.equipment,
    source: texts.source,
    rangeMin: texts.rangeMin,
    rangeMax: texts.rangeMax,
    cadenceSeconds: texts.cadenceField,
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const changes: Partial<SensorItem> = {};
    for (const name of TEXTS) {
      const value = draft[name].trim() || null;
      if (value !== sensor[name]) changes[name] = value;
    }
    for (const name of NUMBERS) {
      const typed = draft[name].trim().replace(",", ".");
      const value = typed === "" ? null : Number(typed);
      if (value !== null && !Number.isFinite(value)) {
        setFault(`${labels[name]}: ${texts.notANumber}`);
        return;
      }
      if (value !== sensor[name]) changes[name] = value;
    }
    setBusy(true);
    try {
      await api.changeSensor(sensor.equipmentId, changes);
      await Promise.all(
        ["sensor", "averages", "sensors"].map((key) =>
          client.invalidateQueries({ queryKey: [key] }),
        ),
      );
      onClose();
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    setBusy(false);
  };
  return (
    <Dialog title={`${texts.edit} ${sensor.equipmentId}`} onClose={onClose}>
      <form onSubmit={(event) => void save(event)}>
        <div className="fields">
          {[...TEXTS, ...NUMBERS].map((name) => (
            <Field
              key={name}
              label={labels[name]}
              value={draft[name]}
              maxLength={200}
              inputMode={(NUMBERS as readonly string[]).includes(name) ? "decimal" : undefined}
              onText={(value) => {
                setDraft({ ...draft, [name]: value });
              }}
            />
          ))}
        </div>
        <p className="quiet">{texts.cadenceHelp}</p>
        {fault && (
          <p className="error" role="alert">
            {fault}
          </p>
        )}
        <div className="row ends">
          <button type="button" onClick={onClose}>
            {texts.cancel}
          </button>
          <button className="primary" type="submit" disabled={busy}>
            {texts.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
