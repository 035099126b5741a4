/** Numbers and instants as a person of that language reads them; what is missing is "–". */

export const MISSING = "–";
const THIN = "\u202f";

const formats = new Map<string, Intl.NumberFormat>();

function formatter(language: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${language} ${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.NumberFormat(language, options)));
  return found;
}

const withMinus = (text: string) => text.replace("-", "−");

export function number(value: number | null, language: string, decimals = 2): string {
  if (value === null) return MISSING;
  if (value !== 0 && (Math.abs(value) >= 1e12 || Math.abs(value) < 1e-4))
    return withMinus(value.toExponential(3));
  return withMinus(
    formatter(language, {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    }).format(value),
  );
}

/** How many decimals a unit is read with. */
export function decimalsOf(unit: string | null): number {
  if (unit === "mm/s") return 2;
  return unit !== null && ["bar", "°C", "m³/h", "%"].includes(unit) ? 1 : 2;
}

/** "−0.19": a change always shows its sign. */
export function change(value: number, language: string, decimals = 2): string {
  const text = number(value, language, decimals);
  return value > 0 ? `+${text}` : text;
}

export function count(value: number | null, language: string): string {
  return value === null ? MISSING : formatter(language, {}).format(value);
}

interface Big {
  figure: string;
  scale: "" | "thousand" | "million" | "billion";
}

/** 34,130,000 is 34.13 and "million". */
export function big(value: number, language: string): Big {
  const [size, scale] =
    value >= 1e9
      ? ([1e9, "billion"] as const)
      : value >= 1e6
        ? ([1e6, "million"] as const)
        : value >= 1e5
          ? ([1e3, "thousand"] as const)
          : ([1, ""] as const);
  if (size === 1) return { figure: count(value, language), scale };
  return { figure: number(value / size, language, size === 1e3 ? 0 : 2), scale };
}

/** A tick of an axis: as many decimals as it has, none for show. */
export function tick(value: number, language: string): string {
  return withMinus(formatter(language, { maximumSignificantDigits: 6 }).format(value));
}

/** "98.77 %"; never 100 while anything is missing. */
export function percent(share: number | null, language: string, decimals = 1): string {
  if (share === null) return MISSING;
  const scale = 10 ** (decimals + 2);
  const shown = share < 1 ? Math.min(Math.round(share * scale), scale - 1) : scale;
  return `${number((shown / scale) * 100, language, decimals)}${THIN}%`;
}

/** "7 min", "2 h 28 min", "3 d 4 h": the two largest units that count; seconds below a minute. */
export function duration(seconds: number, language: string): string {
  if (seconds < 10) return `${number(Math.max(0, seconds), language, 1)} s`;
  if (seconds < 60) return `${String(Math.floor(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return pair(hours, "h", minutes % 60, "min");
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

function pair(large: number, unit: string, small: number, below: string): string {
  const rest = below === "min" ? String(small).padStart(2, "0") : String(small);
  return small ? `${String(large)} ${unit} ${rest} ${below}` : `${String(large)} ${unit}`;
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
