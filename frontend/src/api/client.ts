import { takeEarly } from "./early";
import type {
  AveragesPage,
  CoveragePage,
  DeadLetterItem,
  DeadLettersPage,
  Door,
  Forecast,
  GapItem,
  GapLetter,
  GapsPage,
  GapState,
  HistoryPage,
  ImportItem,
  ImportsPage,
  IncidentsPage,
  NotificationsPage,
  PlantItem,
  Problem,
  ReadingsPage,
  RetentionItem,
  SensorItem,
  SensorsPage,
  SeriesPage,
  StatusPage,
  UndoPreview,
} from "./types";

export class ApiError extends Error {
  readonly at = Date.now();
  constructor(
    readonly status: number,
    detail: string,
    readonly code = "",
  ) {
    super(detail);
  }
}

async function answer(path: string, options: RequestInit = {}): Promise<Response> {
  const early = options.method === undefined ? takeEarly(path) : undefined;
  const response = await (early ?? fetch(`/api/v1${path}`, options));
  if (!response.ok) {
    const problem = (await response.json().catch(() => null)) as Problem | null;
    throw new ApiError(response.status, problem?.detail ?? response.statusText, problem?.code);
  }
  return response;
}

export async function call<T>(path: string, options: RequestInit = {}): Promise<T> {
  const response = await answer(path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export function json(method: string, body: unknown): RequestInit {
  return { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

type Values = Record<string, string | readonly string[] | null | undefined>;

/** "a=1&b=2&b=3": what is empty or missing is left out. */
export function query(values: Values): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value as string | null | undefined])
      if (one) found.append(name, one);
  }
  return found.toString();
}

const sensorPath = (id: string) => `/sensors/${encodeURIComponent(id)}`;
const post = { method: "POST" };

export const api = {
  plant: () => call<PlantItem>("/plant"),
  averages: (window: string) =>
    call<AveragesPage>(`/averages?${query({ window, limit: "20000" })}`),
  averagesLike: (text: string, window: string) =>
    call<AveragesPage>(`/averages?${query({ window, q: text })}`),
  series: (equipmentId: string | readonly string[], start: string, end: string, bucket = "auto") =>
    call<SeriesPage>(`/series?${query({ equipmentId, start, end, bucket })}`),
  readings: (equipmentId: string, start: string, end: string, limit: number, cursor = "") =>
    call<ReadingsPage>(
      `/readings?${query({ equipmentId, start, end, limit: String(limit), cursor })}`,
    ),
  history: (equipmentId: string, timestamp: string) =>
    call<HistoryPage>(`/readings/history?${query({ equipmentId, timestamp })}`),
  sensors: () => call<SensorsPage>("/sensors"),
  sensor: (id: string) => call<SensorItem>(sensorPath(id)),
  changeSensor: (id: string, changes: Partial<SensorItem>) =>
    call<SensorItem>(sensorPath(id), json("PATCH", changes)),
  imports: () => call<ImportsPage>("/imports?limit=50"),
  withdrawImport: (id: number) => call<ImportItem>(`/imports/${String(id)}`, { method: "DELETE" }),
  resumeImport: (id: number) => call<ImportItem>(`/imports/${String(id)}/resume`, post),
  applyImport: (id: number) => call<ImportItem>(`/imports/${String(id)}/apply`, post),
  forecast: (id: number) => call<Forecast>(`/imports/${String(id)}/dry-run`),
  undoPreview: (id: number) => call<UndoPreview>(`/imports/${String(id)}/undo`),
  deadLetters: (door: Door | "", text: string, cursor: string) =>
    call<DeadLettersPage>(`/dead-letters?${query({ door, q: text, cursor })}`),
  editDeadLetter: (id: number, edit: { payload: string; topic?: string }) =>
    call<DeadLetterItem>(`/dead-letters/${String(id)}`, json("PUT", edit)),
  replayDeadLetter: (id: number) =>
    call<{ accepted: number; rejected: number }>(`/dead-letters/${String(id)}/replay`, post),
  removeDeadLetter: (id: number) =>
    call<undefined>(`/dead-letters/${String(id)}`, { method: "DELETE" }),
  gaps: (asked: {
    state?: GapState | "";
    equipmentId?: readonly string[];
    start?: string;
    end?: string;
    limit?: number;
    cursor?: string;
  }) => call<GapsPage>(`/gaps?${query({ ...asked, limit: String(asked.limit ?? 200) })}`),
  gapsCsv: async (start: string) =>
    (
      await answer(`/gaps?${query({ start, limit: "10000" })}`, { headers: { accept: "text/csv" } })
    ).blob(),
  incidents: (start: string, limit = 200) =>
    call<IncidentsPage>(`/gaps/incidents?${query({ start, limit: String(limit) })}`),
  plantCoverage: (window: string, parts: number) =>
    call<CoveragePage>(`/gaps/coverage?${query({ window, parts: String(parts) })}`),
  changeGap: (id: string, changes: { state: "open" | "accepted" }) =>
    call<GapItem>(`/gaps/${id}`, json("PATCH", changes)),
  /** The list for the vendor, and the page to send along; the gaps are marked as requested. */
  requestGaps: (ids: string[], language: string) => {
    const options = json("POST", { ids });
    const headers = { accept: "application/json", "accept-language": language };
    return call<GapLetter>("/gaps/request", {
      ...options,
      headers: { ...headers, "content-type": "application/json" },
    });
  },
  notifications: (cursor = "") =>
    call<NotificationsPage>(`/notifications?${query({ limit: "50", cursor })}`),
  markRead: (upTo: number) =>
    call<{ unread: number }>("/notifications/read", json("PUT", { upTo })),
  retention: () => call<RetentionItem>("/retention"),
  /** Changes nothing: what keeping only so many days would drop. */
  wouldDrop: (days: number) => call<RetentionItem>(`/retention?${query({ days: String(days) })}`),
  setRetention: (days: number | null) => call<RetentionItem>("/retention", json("PUT", { days })),
  status: () => call<StatusPage>("/status"),
};
