/** A colour token as a canvas needs it: its value in the theme of the moment. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888888";
}

export const FONT = '"Inter Variable", system-ui, sans-serif';

/** Diagonal lines, for what is not there. */
export function hatch(pen: CanvasRenderingContext2D, color: string): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const scale = devicePixelRatio || 1;
  const size = Math.round(7 * scale);
  tile.width = tile.height = size;
  const inside = tile.getContext("2d");
  if (!inside) return color;
  inside.strokeStyle = color;
  inside.lineWidth = scale;
  for (const shift of [-size, 0, size]) {
    inside.moveTo(shift, size);
    inside.lineTo(shift + size, 0);
  }
  inside.stroke();
  const pattern = pen.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix().scale(1 / scale));
  return pattern ?? color;
}
