"use client";

import type { GapItem, IncidentItem } from "@/api/types";
import { fill, useFormat, useSpeech } from "@/i18n/language";
import { sharedBy } from "@/lib/cause";

interface Props {
  gap: GapItem;
  incidents: readonly IncidentItem[];
  sourceOf: (id: string) => string | null;
}

/** Why readings are missing: what a person says or PipeWatcher knows of itself; else with whom the
 * gap is shared. */
export function GapCause({ gap, incidents, sourceOf }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const words = {
    device: texts.causeDevice,
    gateway: texts.causeOfGateway,
    downtime: texts.causeDowntime,
    unknown: texts.causeUnknown,
  };
  const known = gap.cause && words[gap.cause];
  if (known ?? gap.note) return [known, gap.note].filter(Boolean).join(": ");
  const shared = sharedBy(gap, incidents, sourceOf);
  if (!shared) return texts.onlyThisSensor;
  return fill(shared.source ? texts.causeGateway : texts.causeShared, {
    source: shared.source ?? "",
    count: format.count(shared.sensors),
  });
}
