// @vitest-environment node
import { readFileSync } from "node:fs";
import { join } from "node:path";
import openapiTS, { astToString } from "openapi-typescript";
import { expect, it } from "vitest";

it("the types are made from the API's description as it is", async () => {
  const description = JSON.parse(
    readFileSync(join(import.meta.dirname, "openapi.json"), "utf-8"),
  ) as Parameters<typeof openapiTS>[0];
  const kept = readFileSync(join(import.meta.dirname, "schema.ts"), "utf-8");
  const made = astToString(await openapiTS(description));
  expect(kept.endsWith(made), "make types").toBe(true);
}, 60_000);
