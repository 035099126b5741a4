/** The bodies of the API's answers, as far as the page reads them. Instants are RFC 3339, UTC. */

export type SensorState = "new" | "ok" | "late" | "silent";

export interface AverageItem {
  equipmentId: string;
  name: string | null;
  kind: string | null;
  unit: string | null;
  location: string | null;
  mean: number | null;
  count: number;
  min: number | null;
  max: number | null;
  lastTimestamp: string | null;
  lastValue: number | null;
  state: SensorState;
}

export interface AveragesPage {
  window: string;
  start: string;
  end: string;
  total: number;
  items: AverageItem[];
}

export interface Bucket {
  start: string;
  mean: number;
  min: number;
  max: number;
  count: number;
  imported: number;
}

export interface SeriesPage {
  start: string;
  end: string;
  bucketSeconds: number;
  items: { equipmentId: string; buckets: Bucket[] }[];
}

export interface SensorItem {
  equipmentId: string;
  name: string | null;
  kind: string | null;
  unit: string | null;
  location: string | null;
  equipment: string | null;
  source: string | null;
  rangeMin: number | null;
  rangeMax: number | null;
}

export interface ImportItem {
  id: number;
  state: "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted" | "undone";
  fileName: string;
  created: string;
  bytesTotal: number;
  bytesDone: number;
  rowsDone: number;
  error: string | null;
  receipt: {
    received: number;
    accepted: number;
    rejected: number;
    new: number | null;
    identical: number | null;
    corrected: number | null;
    repeated: number | null;
    errors: { line?: number; field: string; reason: string }[];
  };
}

export type Door = "mqtt" | "mqtt-broker" | "store";

export interface DeadLetterItem {
  id: number;
  door: Door;
  topic: string;
  client: string;
  received: string;
  reason: string;
  errors: { index?: number; line?: number; field: string; reason: string }[];
  payload: string | null;
  payloadBase64: string | null;
  payloadBytes: number;
  cut: boolean;
  editedBy: string | null;
}

export interface DeadLettersPage {
  items: DeadLetterItem[];
  total: number;
  nextCursor: string | null;
}

export interface Problem {
  detail: string;
}
