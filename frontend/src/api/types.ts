/** The bodies of the API's answers, as OpenAPI has them. Instants are RFC 3339, UTC. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type SensorState = "new" | "ok" | "late" | "silent";
export type AverageItem = Schemas["AverageItem"];
export type AveragesPage = Schemas["AveragesPage"];
export type Bucket = Schemas["BucketItem"];
export type SeriesPage = Schemas["SeriesPage"];
export type SeriesItem = Schemas["SeriesItem"];
/** From a reading to the next; `end` is null while the silence goes on. */
export type GapSpan = Schemas["GapSpan"];
export type GapItem = Schemas["GapItem"];
export type GapsPage = Schemas["GapsPage"];
export type GapLetter = Schemas["GapLetter"];
export type GapState = GapItem["state"];
export type CoveragePage = Schemas["CoveragePage"];
export type IncidentItem = Schemas["IncidentItem"];
export type IncidentsPage = Schemas["IncidentsPage"];
export type SensorItem = Schemas["SensorItem"];
export type SensorsPage = Schemas["SensorsPage"];
export type HistoryPage = Schemas["HistoryPage"];
export type WriteItem = Schemas["WriteItem"];
export type ReadingsPage = Schemas["ReadingsPage"];
export type ImportItem = Schemas["ImportItem"];
export type ImportsPage = Schemas["ImportsPage"];
export type Forecast = Schemas["ForecastItem"];
export type UndoPreview = Schemas["UndoPreviewItem"];
export type NotificationItem = Schemas["NotificationItem"];
export type NotificationsPage = Schemas["NotificationsPage"];
export type DeadLetterItem = Schemas["DeadLetterItem"];
export type DeadLettersPage = Schemas["DeadLettersPage"];
export type StatusPage = Schemas["Status"];
export type RetentionItem = Schemas["RetentionItem"];
export type PlantItem = Schemas["PlantItem"];
export type LiveSensor = Schemas["LiveSensor"];
export type Door = "mqtt" | "mqtt-broker" | "store";

export const WINDOWS = ["24h", "48h", "7d", "30d"] as const;
export type WindowName = (typeof WINDOWS)[number];
export const WINDOW_MS: Record<WindowName, number> = {
  "24h": 86_400_000,
  "48h": 172_800_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
};

export interface Problem {
  code: string;
  detail: string;
}
