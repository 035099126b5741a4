import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { api } from "./client";
import { EARLY_SCRIPT } from "./early";
import { identity } from "./identity";

const asked: string[] = [];

function page(path: string, known: boolean): void {
  const url = new URL(path, "http://plant");
  vi.stubGlobal("window", {});
  vi.stubGlobal("location", url);
  vi.stubGlobal("document", { documentElement: { dataset: {} } });
  vi.stubGlobal("localStorage", { getItem: () => (known ? "" : null) });
  // The very text that stands in the document.
  (0, eval)(EARLY_SCRIPT);
}

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    return Promise.resolve(Response.json({ path }));
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test("what the document asked for is taken, and asked for again only when it is wanted again", async () => {
  page("/?window=7d", true);
  expect(asked).toHaveLength(3);
  expect(await api.averages("7d")).toEqual({ path: "/api/v1/averages?window=7d&limit=20000" });
  await Promise.all([identity.whoAmI(), api.plant()]);
  expect(asked).toHaveLength(3);
  await api.averages("7d");
  expect(asked).toHaveLength(4);
});

test("a window that is none is the day's, and only screens with means ask for them", () => {
  page("/gaps?window=1y", true);
  expect(asked).toContain("/api/v1/averages?window=24h&limit=20000");
  asked.length = 0;
  page("/imports", true);
  expect(asked).toEqual(["/api/v1/session", "/api/v1/plant"]);
});

test("a sensor's screen asks for that sensor alone", async () => {
  page("/sensor?id=EQ%2F1%20&window=48h", true);
  expect(asked).toHaveLength(3);
  await api.averagesLike("EQ/1 ", "48h");
  expect(asked).toHaveLength(3);
  page("/sensor", true);
  expect(asked).toHaveLength(5);
});

test("where nobody was signed in nothing is asked for", () => {
  page("/", false);
  expect(asked).toEqual([]);
});
