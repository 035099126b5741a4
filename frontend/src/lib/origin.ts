const RECEIVED_TIME = "+received-time";

export type OriginKind = "http" | "mqtt" | "mqtt-broker" | "line-protocol" | "replay" | "import";

export interface Origin {
  /** null: one that this page does not know. */
  kind: OriginKind | null;
  name: string;
  /** Its time is when it came, as it brought none. */
  receivedTime: boolean;
}

const KINDS: readonly string[] = [
  "http",
  "mqtt",
  "mqtt-broker",
  "line-protocol",
  "replay",
  "import",
] satisfies OriginKind[];

/** `http:gateway-7` in its parts. */
export function originOf(text: string): Origin {
  const receivedTime = text.endsWith(RECEIVED_TIME);
  const whole = receivedTime ? text.slice(0, -RECEIVED_TIME.length) : text;
  const at = whole.indexOf(":");
  const kind = whole.slice(0, at);
  if (at < 0 || !KINDS.includes(kind)) return { kind: null, name: whole, receivedTime };
  return { kind: kind as OriginKind, name: whole.slice(at + 1), receivedTime };
}
