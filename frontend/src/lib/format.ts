/** Numbers and instants as a person of that language reads them; what is missing is "–". */

const MISSING = "–";

export function number(value: number | null, language: string, decimals = 2): string {
  if (value === null) return MISSING;
  if (value !== 0 && (Math.abs(value) >= 1e12 || Math.abs(value) < 1e-4))
    return value.toExponential(3).replace(/^-/, "−");
  return new Intl.NumberFormat(language, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  })
    .format(value)
    .replace("-", "−");
}

export function count(value: number | null, language: string): string {
  return value === null ? MISSING : new Intl.NumberFormat(language).format(value);
}

/** A tick of an axis: as many decimals as it has, none for show. */
export function tick(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 6 })
    .format(value)
    .replace("-", "−");
}

export function percent(share: number, language: string): string {
  return new Intl.NumberFormat(language, { style: "percent" }).format(share);
}

/** "7 min", "2 h", "3 d": how long ago, in the largest unit that fits. */
export function age(instant: string | null, now: number): string {
  if (instant === null) return MISSING;
  const seconds = Math.max(0, Math.round((now - Date.parse(instant)) / 1000));
  if (seconds >= 86_400) return `${String(Math.trunc(seconds / 86_400))} d`;
  if (seconds >= 3_600) return `${String(Math.trunc(seconds / 3_600))} h`;
  if (seconds >= 60) return `${String(Math.trunc(seconds / 60))} min`;
  return `${String(seconds)} s`;
}

export function moment(instant: string, language: string): string {
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(instant));
}

export function bytes(value: number, language: string): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${number(size, language, unit ? 1 : 0)} ${units[unit] ?? ""}`;
}
