/** The bodies of the API's answers, as far as the page reads them. Instants are RFC 3339, UTC. */

export type SensorState = "new" | "ok" | "late" | "silent";

export interface AverageItem {
  equipmentId: string;
  name: string | null;
  kind: string | null;
  unit: string | null;
  location: string | null;
  mean: number | null;
  timeWeightedMean: number | null;
  coverage: number | null;
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

/** From a reading to the next; `end` is null while the silence goes on. */
export interface GapSpan {
  start: string;
  end: string | null;
}

export type GapState = "open" | "requested" | "partly_filled" | "filled" | "accepted";

export interface GapItem extends GapSpan {
  id: string;
  equipmentId: string;
  expected: number;
  state: GapState;
  note: string | null;
  changedBy: string | null;
  closedBy: string[];
}

export interface GapsPage {
  items: GapItem[];
  total: number;
  nextCursor: string | null;
}

export interface SeriesPage {
  start: string;
  end: string;
  bucketSeconds: number;
  items: { equipmentId: string; buckets: Bucket[]; gaps: GapSpan[] }[];
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
  state:
    "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted" | "undoing" | "undone";
  dryRun: boolean;
  undoable: boolean;
  undone: { removed: number; restored: number } | null;
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

export interface Forecast {
  accepted: number;
  new: number;
  identical: number;
  corrected: number;
  repeated: number;
  sensors: number;
  newSensors: number;
  newSensorIds: string[];
  changes: {
    equipmentId: string;
    countBefore: number;
    countAfter: number;
    meanBefore: number | null;
    meanAfter: number;
  }[];
  liveOverwritten: number;
  liveRows: { equipmentId: string; timestamp: string; stored: number; value: number }[];
  suspicions: {
    kind: "outside_range" | "unit_jump" | "clock_shifted" | "after_newest" | "duplicate_file";
    sensors: number;
    readings: number;
    importId: number | null;
    items: { equipmentId: string; factor: number | null; shiftHours: number | null }[];
  }[];
}

export interface UndoPreview {
  removed: number;
  restored: number;
  changed: number;
  overtaken: number;
  sensors: number;
  items: { equipmentId: string; removed: number; restored: number; first: string; last: string }[];
}

export interface NotificationItem {
  id: number;
  kind:
    | "new_sensor"
    | "silent"
    | "back"
    | "import_done"
    | "import_failed"
    | "gap_closed"
    | "disk"
    | "lag"
    | "clock_skew"
    | "imbalance";
  equipmentId: string | null;
  count: number;
  source: string | null;
  importId: number | null;
  detail: string | null;
  created: string;
  unread: boolean;
}

export interface NotificationsPage {
  items: NotificationItem[];
  unread: number;
}

export interface DoorBalance {
  door: string;
  stored: number;
  storedSinceStart: number;
  new: number;
  identical: number;
  corrected: number;
  repeated: number;
  skipped: number;
  unfolded: number;
}

export interface StatusPage {
  asOf: string;
  started: string;
  stages: { received: number; accepted: number; rejected: number };
  balance: {
    accepted: number;
    stored: number;
    inCommitLog: number;
    difference: number;
    doors: DoorBalance[];
  } | null;
}

export interface Problem {
  code: string;
  detail: string;
}
