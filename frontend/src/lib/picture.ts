import { FONT, token } from "./colours";

const SCALE = 2;
const MARGIN = 16;
const NOTHING = /^(rgba\(.*, 0\)|transparent|none)$/;

/** A chart that is made of elements, as a canvas: their grounds, borders, bars and words. */
export function pictureOf(element: HTMLElement): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const box = element.getBoundingClientRect();
  canvas.width = Math.ceil((box.width + 2 * MARGIN) * SCALE);
  canvas.height = Math.ceil((box.height + 2 * MARGIN) * SCALE);
  const pen = canvas.getContext("2d");
  if (!pen) return canvas;
  pen.scale(SCALE, SCALE);
  pen.translate(MARGIN - box.left, MARGIN - box.top);
  pen.textBaseline = "middle";
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (node instanceof Element) drawBox(pen, node);
    else drawWords(pen, node);
  }
  return canvas;
}

function drawBox(pen: CanvasRenderingContext2D, element: Element): void {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  pen.globalAlpha = Number(style.opacity);
  const fill = element instanceof SVGElement ? style.fill : style.backgroundColor;
  if (!(element instanceof SVGSVGElement) && !NOTHING.test(fill)) {
    pen.fillStyle = fill;
    pen.fillRect(box.left, box.top, box.width, box.height);
  }
  if (element instanceof SVGElement) return;
  const wide = parseFloat(style.borderLeftWidth);
  if (wide > 0) {
    pen.strokeStyle = style.borderLeftColor;
    pen.lineWidth = wide;
    pen.setLineDash({ dashed: [3, 2], dotted: [1, 2] }[style.borderLeftStyle] ?? []);
    pen.strokeRect(box.left + wide / 2, box.top + wide / 2, box.width - wide, box.height - wide);
  }
}

function drawWords(pen: CanvasRenderingContext2D, words: Node): void {
  const text = words.textContent?.trim();
  const parent = words.parentElement;
  if (!text || !parent) return;
  const range = document.createRange();
  range.selectNodeContents(words);
  const box = range.getBoundingClientRect();
  if (box.width < 2) return;
  const style = getComputedStyle(parent);
  pen.globalAlpha = 1;
  pen.font = `${style.fontWeight} ${style.fontSize} ${FONT}`;
  pen.fillStyle = style.color || token("--t1");
  pen.fillText(text, box.left, box.top + box.height / 2);
}
