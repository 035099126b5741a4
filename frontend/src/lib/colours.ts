/** A colour token as a canvas needs it: its value in the theme of the moment. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888888";
}

export const FONT = '"Inter Variable", system-ui, sans-serif';

const tiles = new Map<string, HTMLCanvasElement>();

/** What a gap is filled with: seven pixels of 45 degrees, at 42 %. */
export function hatch(colour: string): HTMLCanvasElement {
  const found = tiles.get(colour);
  if (found) return found;
  const image = document.createElement("canvas");
  image.width = image.height = 7;
  const pen = image.getContext("2d");
  if (pen) {
    pen.strokeStyle = colour;
    pen.globalAlpha = 0.42;
    for (const shift of [-7, 0, 7]) {
      pen.moveTo(shift, 7);
      pen.lineTo(shift + 7, 0);
    }
    pen.stroke();
  }
  tiles.set(colour, image);
  return image;
}
