import { ApiError, query } from "./client";
import type { Problem } from "./types";

export interface Sent {
  bytes: number;
  total: number;
  bytesPerSecond: number;
}

/** Sends a file as it lies on the disk, however large; `onProgress` is told what has gone. */
export function upload(
  file: File,
  timezone: string,
  onProgress: (sent: Sent) => void,
  signal: AbortSignal,
): Promise<{ id: number }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const began = performance.now();
    request.open("POST", `/api/v1/imports?${query({ dry_run: "true", tz: timezone })}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      const seconds = Math.max(0.001, (performance.now() - began) / 1000);
      onProgress({
        bytes: event.loaded,
        total: event.total || file.size,
        bytesPerSecond: event.loaded / seconds,
      });
    };
    request.onload = () => {
      if (request.status === 202) resolve(request.response as { id: number });
      else reject(new ApiError(request.status, (request.response as Problem | null)?.detail ?? ""));
    };
    request.onerror = () => {
      reject(new ApiError(0, "network"));
    };
    request.onabort = () => {
      reject(new DOMException("", "AbortError"));
    };
    signal.addEventListener("abort", () => {
      request.abort();
    });
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
