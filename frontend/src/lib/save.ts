/** Offers what is in the browser as a file. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}

export type Cell = string | number | null;

function cell(value: Cell): string {
  if (value === null) return "";
  const text = String(value);
  // What a spreadsheet would run as a formula is quoted with an apostrophe.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): Blob {
  const lines = [header, ...rows].map((row) => row.map(cell).join(","));
  return new Blob([lines.join("\r\n"), "\r\n"], { type: "text/csv;charset=utf-8" });
}

/** A canvas as PNG on the page's own ground: no picture is see-through. */
export async function png(canvas: HTMLCanvasElement, ground: string): Promise<Blob> {
  const flat = document.createElement("canvas");
  flat.width = canvas.width;
  flat.height = canvas.height;
  const pen = flat.getContext("2d");
  if (pen) {
    pen.fillStyle = ground;
    pen.fillRect(0, 0, flat.width, flat.height);
    pen.drawImage(canvas, 0, 0);
  }
  return new Promise((resolve, reject) => {
    flat.toBlob((file) => {
      if (file) resolve(file);
      else reject(new Error("no picture"));
    });
  });
}

/** A picture that a chart gave as an address: the page's policy lets nobody fetch one. */
export function savePicture(address: string, name: string): void {
  const bytes = Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (letter) =>
    letter.charCodeAt(0),
  );
  save(new Blob([bytes], { type: "image/png" }), name);
}
