import { ApiError } from "@/api/client";

/** What to tell somebody when a call failed: the server's own words where there are any. */
export function reasonOf(error: unknown, unreachable: string): string {
  return error instanceof ApiError && error.status > 0 ? error.message : unreachable;
}
