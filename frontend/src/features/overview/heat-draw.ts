import { token } from "@/lib/colours";
import type { HeatLayout } from "@/lib/heat-layout";
import type { Tint } from "@/lib/tints";

/** All cells in one go. */
export function drawHeat(
  canvas: HTMLCanvasElement,
  layout: HeatLayout,
  tints: ReadonlyMap<string, Tint>,
  shown: ReadonlySet<string> | null,
  focused: string | null,
): void {
  const scale = devicePixelRatio || 1;
  // A diamond is larger than its cell.
  const width = layout.width + 2;
  const height = layout.height + 2;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${String(width)}px`;
    canvas.style.height = `${String(height)}px`;
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const size = layout.pitch - (layout.pitch > 7 ? 2 : 1);
  const ramp = [0, 1, 2, 3, 4].map((step) => token(`--h${String(step)}`));
  const silent = token("--sil");
  const ground = token("--bg1");
  const quiet = token("--line2");
  const diamonds: { x: number; y: number; dim: boolean }[] = [];
  for (const block of layout.blocks) {
    for (const cell of block.cells) {
      const tint = tints.get(cell.id) ?? 0;
      const dim = shown !== null && !shown.has(cell.id);
      pen.globalAlpha = dim ? 0.25 : 1;
      if (tint === "silent") {
        diamonds.push({ x: cell.x + size / 2, y: cell.y + size / 2, dim });
        continue;
      }
      if (tint === "new") {
        pen.strokeStyle = quiet;
        pen.strokeRect(cell.x + 0.5, cell.y + 0.5, size - 1, size - 1);
        continue;
      }
      pen.fillStyle = ramp[tint] ?? "";
      pen.beginPath();
      pen.roundRect(cell.x, cell.y, size, size, size > 5 ? 1.5 : 0);
      pen.fill();
    }
  }
  const half = Math.max(3.5, size * 0.72);
  for (const { x, y, dim } of diamonds) {
    pen.globalAlpha = dim ? 0.25 : 1;
    pen.beginPath();
    pen.moveTo(x, y - half);
    pen.lineTo(x + half, y);
    pen.lineTo(x, y + half);
    pen.lineTo(x - half, y);
    pen.closePath();
    pen.fillStyle = silent;
    pen.strokeStyle = ground;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.fill();
  }
  pen.globalAlpha = 1;
  if (focused === null) return;
  const cell = layout.blocks.flatMap((block) => block.cells).find((one) => one.id === focused);
  if (!cell) return;
  pen.strokeStyle = token("--acc");
  pen.lineWidth = 2;
  pen.strokeRect(cell.x - 2, cell.y - 2, size + 4, size + 4);
}
