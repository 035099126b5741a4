/** Server-sent events by fetch: unlike EventSource it can be resumed after it was closed. */

export interface ServerEvent {
  id: string;
  kind: string;
  data: string;
}

/** Takes text in any pieces; gives the events that are whole. */
export class EventParser {
  private rest = "";

  feed(text: string): ServerEvent[] {
    this.rest += text;
    const blocks = this.rest.split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(parse).filter((event) => event !== null);
  }
}

function parse(block: string): ServerEvent | null {
  const event: ServerEvent = { id: "", kind: "message", data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    if (at < 1) continue;
    const value = line.slice(at + 2);
    if (line.startsWith("id:")) event.id = value;
    else if (line.startsWith("event:")) event.kind = value;
    else if (line.startsWith("data:")) event.data += value;
  }
  return event.data ? event : null;
}

/** Reads until the stream ends; `onBytes` is called for whatever comes, also a heartbeat. */
export async function readEvents(
  url: string,
  lastEventId: string,
  signal: AbortSignal,
  onBytes: () => void,
  onEvent: (event: ServerEvent) => void,
): Promise<number> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (lastEventId) headers["last-event-id"] = lastEventId;
  const response = await fetch(url, { headers, signal, cache: "no-store" });
  if (!response.ok || !response.body) return response.status;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  onBytes();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return 200;
    onBytes();
    parser.feed(value).forEach(onEvent);
  }
}
