/** What happens at the plant, as it happens: one connection for the whole page.
 *
 * New readings are shown at most once a second. A hidden tab has no connection; it comes back
 * behind the last event that it had. */
import { readEvents, type ServerEvent } from "./sse";
import type { LiveSensor } from "./types";

export type LiveStatus = "live" | "polling" | "not-live";
/** Silence of the line before it is said that the page is not live. */
const QUIET_MS = 10_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000];
const HIDDEN_MS = 5_000;
const DEAD_MS = 40_000;
const FLUSH_MS = 1_000;
const READINGS_KEPT = 25_000;

type Hearer = (kind: string) => void;

class Live {
  status: LiveStatus = "live";
  /** Milliseconds since 1970 of the last word from the server, and of the next try. */
  heardAt = Date.now();
  nextTryAt: number | null = null;
  /** Grows when a sensor changes its state, and when readings have come. */
  states = 0;
  readings = 0;
  private known = new Map<string, LiveSensor>();
  private changed = false;
  private turned = false;
  private lastEventId = "";
  private failures = 0;
  private stop: AbortController | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watchers = new Set<() => void>();
  private hearers = new Set<Hearer>();
  private streaming = false;

  readonly subscribe = (watcher: () => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  reading(id: string): LiveSensor | undefined {
    return this.known.get(id);
  }

  /** Told of every kind of event that came, at most once a second each. */
  onEvent(hearer: Hearer): () => void {
    this.hearers.add(hearer);
    return () => this.hearers.delete(hearer);
  }

  /** Any answer of the server is a sign of life. */
  heard(): void {
    this.heardAt = Date.now();
    this.settle();
  }

  begin(): () => void {
    const tick = setInterval(() => {
      this.settle();
      this.flush();
    }, FLUSH_MS);
    let hiding: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(hiding);
      if (document.hidden) hiding = setTimeout(() => this.disconnect(), HIDDEN_MS);
      else if (!this.stop) {
        this.heardAt = Date.now();
        void this.connect();
      }
    };
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      clearInterval(tick);
      clearTimeout(hiding);
      document.removeEventListener("visibilitychange", look);
      this.disconnect();
    };
  }

  tryNow(): void {
    this.disconnect();
    void this.connect();
  }

  private disconnect(): void {
    clearTimeout(this.retry);
    this.stop?.abort();
    this.stop = null;
    this.streaming = false;
  }

  private async connect(): Promise<void> {
    const stop = new AbortController();
    this.stop = stop;
    this.nextTryAt = null;
    let silence = setTimeout(() => stop.abort(), DEAD_MS);
    try {
      await readEvents(
        "/api/v1/live",
        this.lastEventId,
        stop.signal,
        () => {
          clearTimeout(silence);
          silence = setTimeout(() => stop.abort(), DEAD_MS);
          this.failures = 0;
          this.streaming = true;
          this.heard();
        },
        (event) => {
          this.take(event);
        },
      );
    } catch {
      // Ended by us, by the network or by the server: what follows is the same.
    }
    clearTimeout(silence);
    if (this.stop !== stop) return;
    this.streaming = false;
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] ?? 8_000;
    this.failures += 1;
    this.nextTryAt = Date.now() + wait;
    this.retry = setTimeout(() => void this.connect(), wait);
    this.settle();
  }

  private take(event: ServerEvent): void {
    if (event.id) this.lastEventId = event.id;
    if (event.kind === "reading" || event.kind === "state") {
      const { items } = JSON.parse(event.data) as { items: LiveSensor[] };
      for (const item of items) this.known.set(item.equipmentId, item);
      if (this.known.size > READINGS_KEPT) this.known.clear();
      this.changed = true;
      this.turned ||= event.kind === "state";
    }
    for (const hearer of this.hearers) hearer(event.kind);
  }

  private flush(): void {
    if (!this.changed) return;
    this.changed = false;
    this.readings += 1;
    if (this.turned) this.states += 1;
    this.turned = false;
    this.tell();
  }

  private settle(): void {
    const quiet = Date.now() - this.heardAt > QUIET_MS + (this.streaming ? QUIET_MS : 0);
    const status = quiet ? "not-live" : this.streaming || this.failures < 2 ? "live" : "polling";
    if (status === this.status) return;
    this.status = status;
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}

export const live = new Live();
