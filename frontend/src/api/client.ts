import type {
  AveragesPage,
  DeadLetterItem,
  DeadLettersPage,
  Door,
  Forecast,
  GapItem,
  GapsPage,
  GapState,
  ImportItem,
  NotificationsPage,
  Problem,
  SensorItem,
  SeriesPage,
  StatusPage,
  UndoPreview,
} from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly code = "",
  ) {
    super(detail);
  }
}

export async function call<T>(path: string, options: RequestInit = {}): Promise<T> {
  const response = await fetch(`/api/v1${path}`, options);
  if (!response.ok) {
    const problem = (await response.json().catch(() => null)) as Problem | null;
    throw new ApiError(response.status, problem?.detail ?? response.statusText, problem?.code);
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export function json(method: string, body: unknown): RequestInit {
  return { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

const sensorPath = (id: string) => `/sensors/${encodeURIComponent(id)}`;
const query = (values: Record<string, string>) => new URLSearchParams(values).toString();

export const api = {
  averages: (window: string) =>
    call<AveragesPage>(`/averages?${query({ window, limit: "20000" })}`),
  series: (equipmentId: string, start: string, end: string) =>
    call<SeriesPage>(`/series?${query({ equipmentId, start, end })}`),
  sensor: (id: string) => call<SensorItem>(sensorPath(id)),
  changeSensor: (id: string, changes: Partial<SensorItem>) =>
    call<SensorItem>(sensorPath(id), json("PATCH", changes)),
  imports: () => call<{ items: ImportItem[] }>("/imports?limit=50"),
  withdrawImport: (id: number) => call<ImportItem>(`/imports/${String(id)}`, { method: "DELETE" }),
  resumeImport: (id: number) =>
    call<ImportItem>(`/imports/${String(id)}/resume`, { method: "POST" }),
  deadLetters: (door: Door | "", text: string, cursor: string) =>
    call<DeadLettersPage>(
      `/dead-letters?${query({
        ...(door ? { door } : {}),
        ...(text ? { q: text } : {}),
        ...(cursor ? { cursor } : {}),
      })}`,
    ),
  gaps: (state: GapState | "", equipmentId: string, cursor: string) =>
    call<GapsPage>(
      `/gaps?${query({
        ...(state ? { state } : {}),
        ...(equipmentId ? { equipmentId } : {}),
        ...(cursor ? { cursor } : {}),
      })}`,
    ),
  changeGap: (id: string, changes: { state: "open" | "accepted" }) =>
    call<GapItem>(`/gaps/${id}`, json("PATCH", changes)),
  /** The CSV for the vendor; the gaps are marked as requested. */
  requestGaps: async (ids: string[] | null) => {
    const response = await fetch("/api/v1/gaps/request", json("POST", ids ? { ids } : {}));
    if (!response.ok) {
      const problem = (await response.json().catch(() => null)) as Problem | null;
      throw new ApiError(response.status, problem?.detail ?? response.statusText);
    }
    return response.blob();
  },
  editDeadLetter: (id: number, edit: { payload: string; topic?: string }) =>
    call<DeadLetterItem>(`/dead-letters/${String(id)}`, json("PUT", edit)),
  replayDeadLetter: (id: number) =>
    call<{ accepted: number; rejected: number }>(`/dead-letters/${String(id)}/replay`, {
      method: "POST",
    }),
  removeDeadLetter: (id: number) =>
    call<undefined>(`/dead-letters/${String(id)}`, { method: "DELETE" }),
  applyImport: (id: number) => call<ImportItem>(`/imports/${String(id)}/apply`, { method: "POST" }),
  forecast: (id: number) => call<Forecast>(`/imports/${String(id)}/dry-run`),
  undoPreview: (id: number) => call<UndoPreview>(`/imports/${String(id)}/undo`),
  notifications: () => call<NotificationsPage>("/notifications?limit=30"),
  status: () => call<StatusPage>("/status"),
  markRead: (upTo: number) =>
    call<{ unread: number }>("/notifications/read", json("PUT", { upTo })),
};

/** Sends a file; `onProgress` is told the share that is sent, 0 to 1. */
export function upload(
  file: File,
  options: { timezone: string; dryRun: boolean },
  onProgress: (share: number) => void,
): Promise<{ id: number }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const given = {
      dry_run: String(options.dryRun),
      ...(options.timezone ? { tz: options.timezone } : {}),
    };
    request.open("POST", `/api/v1/imports?${query(given)}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      onProgress(event.total ? event.loaded / event.total : 0);
    };
    request.onload = () => {
      if (request.status === 202) resolve(request.response as { id: number });
      else reject(new ApiError(request.status, (request.response as Problem | null)?.detail ?? ""));
    };
    request.onerror = () => {
      reject(new ApiError(0, "network"));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
