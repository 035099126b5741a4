import { describe, expect, it } from "vitest";

import { EventParser } from "./sse";

describe("server-sent events", () => {
  const stream = 'retry: 2000\n\nid: a-1-2\nevent: state\ndata: {"items":[]}\n\n: still here\n\n';

  it("are whole, however they are cut", () => {
    for (const size of [1, 3, 7, stream.length]) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < stream.length; at += size)
        found.push(...parser.feed(stream.slice(at, at + size)));
      expect(found).toEqual([{ id: "a-1-2", kind: "state", data: '{"items":[]}' }]);
    }
  });

  it("that are not whole yet wait for the rest", () => {
    const parser = new EventParser();
    expect(parser.feed("id: 1\nevent: x\ndata: y")).toEqual([]);
    expect(parser.feed("\n\n")).toEqual([{ id: "1", kind: "x", data: "y" }]);
  });
});
