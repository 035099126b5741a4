const STEPS = [1, 2, 2.5, 5, 10];

function roundStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return (STEPS.find((step) => step * power >= wanted - 1e-12) ?? 10) * power;
}

export interface Scale {
  min: number;
  max: number;
  step: number;
}

/** A range padded to round steps, about `parts` of them; process values need no zero. */
export function niceScale(low: number, high: number, parts: number): Scale {
  const range = high - low || Math.abs(high) * 0.1 || 1;
  const step = roundStep(range / parts);
  return {
    min: Math.floor((low - range * 0.02) / step) * step,
    max: Math.ceil((high + range * 0.02) / step) * step,
    step,
  };
}

/** The same with exactly `parts` steps: axes side by side share their grid lines. */
export function equalScale(low: number, high: number, parts: number): Scale {
  const range = high - low || Math.abs(high) * 0.1 || 1;
  for (let step = roundStep(range / parts); ; step = roundStep(step * 1.01)) {
    const min = Math.floor(low / step) * step;
    if (min + step * parts >= high) return { min, max: min + step * parts, step };
  }
}
