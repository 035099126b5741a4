/** Instants in a language and a time zone: "12 Mar 14:32:07". */

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(
  instant: string | number,
  language: string,
  zone: string | undefined,
): Record<string, string> {
  const key = `${language} ${zone ?? ""}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
      timeZone: zone,
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    });
    formats.set(key, format);
  }
  const found: Record<string, string> = {};
  for (const part of format.formatToParts(new Date(instant))) found[part.type] = part.value;
  return found;
}

const month = (found: Record<string, string>) => (found.month ?? "").replace(".", "").slice(0, 3);

/** "12 Mar" */
export function day(instant: string | number, language: string, zone?: string): string {
  const found = parts(instant, language, zone);
  return `${found.day ?? ""} ${month(found)}`;
}

/** "12 Mar 2026" */
export function date(instant: string | number, language: string, zone?: string): string {
  return `${day(instant, language, zone)} ${parts(instant, language, zone).year ?? ""}`;
}

/** "14:32" */
export function time(instant: string | number, language: string, zone?: string): string {
  const found = parts(instant, language, zone);
  return `${found.hour ?? ""}:${found.minute ?? ""}`;
}

/** "14:32:07" */
export function clock(instant: string | number, language: string, zone?: string): string {
  return `${time(instant, language, zone)}:${parts(instant, language, zone).second ?? ""}`;
}

/** "12 Mar 14:32" */
export function minute(instant: string | number, language: string, zone?: string): string {
  return `${day(instant, language, zone)} ${time(instant, language, zone)}`;
}

/** "12 Mar 14:32:07" */
export function moment(instant: string | number, language: string, zone?: string): string {
  return `${day(instant, language, zone)} ${clock(instant, language, zone)}`;
}

/** "12 Mar 00:22 → 02:50": the day is said once where both lie in it. */
export function span(
  start: string | number,
  end: string | number,
  language: string,
  zone?: string,
): string {
  const first = day(start, language, zone);
  const last = day(end, language, zone);
  const to = time(end, language, zone);
  return `${first} ${time(start, language, zone)} → ${first === last ? to : `${last} ${to}`}`;
}

/** "BRT", "GMT-3": what a clock of this zone is called. */
export function zoneName(language: string, zone?: string, instant = Date.now()): string {
  const format = new Intl.DateTimeFormat(language, { timeZone: zone, timeZoneName: "short" });
  const found = format.formatToParts(new Date(instant));
  return (found.find((part) => part.type === "timeZoneName")?.value ?? "").replace("-", "−");
}

/** Minutes that the zone is ahead of UTC then. */
function offsetMinutes(instant: number, zone?: string): number {
  const found = parts(instant, "en", zone);
  const shown = Date.parse(
    `${found.day ?? ""} ${found.month ?? ""} ${found.year ?? ""} ${found.hour ?? ""}:${found.minute ?? ""}:${found.second ?? ""} UTC`,
  );
  return Math.round((shown - instant) / 60_000);
}

const STEPS_MIN = [1, 5, 15, 30, 60, 120, 240, 360, 720, 1_440, 2_880, 5_760, 10_080];

/** Round clock times of the zone inside `[start, end]`, at most `most` of them. */
export function timeTicks(start: number, end: number, most: number, zone?: string): number[] {
  const wanted = (end - start) / 60_000 / Math.max(1, most);
  const step = (STEPS_MIN.find((one) => one >= wanted) ?? 43_200) * 60_000;
  const shift = offsetMinutes(start, zone) * 60_000;
  const found: number[] = [];
  for (let at = Math.ceil((start + shift) / step) * step - shift; at <= end; at += step)
    found.push(at);
  return found;
}

/** A tick's text; midnight is the day, in bold where `bold` says so. */
export function tickText(
  instant: number,
  language: string,
  zone?: string,
): { text: string; bold: boolean } {
  const found = time(instant, language, zone);
  return found === "00:00"
    ? { text: day(instant, language, zone), bold: true }
    : { text: found, bold: false };
}
