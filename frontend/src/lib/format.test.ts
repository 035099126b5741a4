import { describe, expect, it } from "vitest";

import { big, bytes, change, count, duration, number, percent, tick } from "./format";
import { moment, span, tickText, timeTicks } from "./instant";

describe("figures", () => {
  it("follow the language, with a real minus sign", () => {
    expect(number(1016.8, "en", 1)).toBe("1,016.8");
    expect(number(-1016.8, "pt-BR")).toBe("−1.016,80");
    expect(number(null, "en")).toBe("–");
    expect(number(1.7e308, "en")).toBe("1.700e+308");
    expect(change(0.5, "pt-BR")).toBe("+0,50");
    expect(count(1234, "pt-BR")).toBe("1.234");
    expect([-1000, 0.25].map((value) => tick(value, "pt-BR"))).toEqual(["−1.000", "0,25"]);
  });

  it("never round up to a whole while anything is missing", () => {
    expect(percent(0.9877, "en", 2)).toBe("98.77\u202f%");
    expect(percent(0.99999, "en")).toBe("99.9\u202f%");
    expect(percent(1, "pt-BR")).toBe("100,0\u202f%");
    expect(percent(null, "en")).toBe("–");
  });

  it("tell lengths of time in two units at most", () => {
    expect([4.13, 59, 420, 8880, 90_000, 400_000].map((s) => duration(s, "en"))).toEqual([
      "4.1 s",
      "59 s",
      "7 min",
      "2 h 28 min",
      "25 h",
      "4 d 15 h",
    ]);
  });

  it("tell large counts and sizes", () => {
    expect(big(34_130_000, "pt-BR")).toEqual({ figure: "34,13", scale: "million" });
    expect(big(415_000, "en")).toEqual({ figure: "415", scale: "thousand" });
    expect(big(1958, "en")).toEqual({ figure: "1,958", scale: "" });
    expect(bytes(1_500_000, "en")).toBe("1.5 MB");
    expect(bytes(12, "en")).toBe("12 B");
  });
});

describe("instants", () => {
  const at = "2026-03-12T17:32:07Z";

  it("stand in the language and the zone that is asked for", () => {
    expect(moment(at, "en", "America/Sao_Paulo")).toBe("12 Mar 14:32:07");
    expect(moment(at, "pt-BR", "America/Sao_Paulo")).toBe("12 mar 14:32:07");
    expect(moment(at, "en", "Asia/Tokyo")).toBe("13 Mar 02:32:07");
    expect(span(at, "2026-03-12T20:00:00Z", "en", "UTC")).toBe("12 Mar 17:32 → 20:00");
  });

  it("tick at round clock times of the zone, and midnight is the day", () => {
    const [start, end] = [Date.parse("2026-03-12T01:00:00Z"), Date.parse("2026-03-12T09:00:00Z")];
    const ticks = timeTicks(start, end, 4, "America/Sao_Paulo");
    expect(ticks.map((tick) => tickText(tick, "en", "America/Sao_Paulo").text)).toEqual([
      "22:00",
      "12 Mar",
      "02:00",
      "04:00",
      "06:00",
    ]);
    expect(tickText(ticks[1] ?? 0, "en", "America/Sao_Paulo").bold).toBe(true);
  });
});
