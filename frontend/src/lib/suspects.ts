import type { Forecast } from "@/api/types";

const SHOWN = 5;

/** "EQ-1 (× 1000), EQ-2 (+3 h), …": the first five sensors of a suspicion. */
export function suspects(
  suspicion: Pick<Forecast["suspicions"][number], "sensors" | "items">,
): string {
  const told = suspicion.items.slice(0, SHOWN).map((item) => {
    if (item.shiftHours !== null)
      return `${item.equipmentId} (${item.shiftHours > 0 ? "+" : "−"}${String(Math.abs(item.shiftHours))} h)`;
    if (item.factor !== null)
      return `${item.equipmentId} (× ${String(Number(item.factor.toPrecision(3)))})`;
    return item.equipmentId;
  });
  return told.join(", ") + (suspicion.sensors > told.length ? ", …" : "");
}
