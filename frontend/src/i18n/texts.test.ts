import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { en } from "./en";
import { pt } from "./pt";

const SAME = new Set(["w24h", "w48h"]);

function flat(texts: object, before = ""): [string, string][] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === "string"
      ? [[before + key, value] as [string, string]]
      : flat(value as object, `${before}${key}.`),
  );
}

const english = new Map(flat(en));
const portuguese = new Map(flat(pt));
const holes = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((found) => found[0]).sort();

describe("the two languages", () => {
  it("have the same keys, and nothing is empty", () => {
    expect([...portuguese.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [key, text] of [...english, ...portuguese]) expect(text.trim(), key).not.toBe("");
  });

  it("fill in the same figures", () => {
    for (const [key, text] of english) {
      const other = portuguese.get(key) ?? "";
      expect(holes(other), key).toEqual(holes(text));
      if (SAME.has(key)) expect(other).toBe(text);
    }
  });
});

it("every text is used somewhere", () => {
  const sources: string[] = [];
  const read = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) read(path);
      else if (/\.tsx?$/.test(entry.name) && !/i18n\/(\w+-)?(en|pt)\.ts$/.test(path))
        sources.push(readFileSync(path, "utf-8"));
    }
  };
  read(join(import.meta.dirname, ".."));
  const all = sources.join("\n");
  // Keys that are put together: told_silent, suspect_unit_jump, scale_million, a role's name.
  const families = /^(told|suspect|scale|lastWindow|viewer|operator|admin|device)/;
  const unused = [...english.keys()].filter(
    (key) => !families.test(key) && !new RegExp(`\\.${key}\\b`).test(all),
  );
  expect(unused).toEqual([]);
});
