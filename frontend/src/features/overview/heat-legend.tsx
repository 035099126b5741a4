"use client";

import { Mark } from "@/components/marks";
import { useFormat, useSpeech } from "@/i18n/language";
import { DEVIATION_STEPS, SEEN_STEPS_S, type ColourBy } from "@/lib/tints";

/** What the five steps mean at the moment. */
export function HeatLegend({ by }: { by: ColourBy }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const whole = (share: number) => format.percent(share, share === 0.995 ? 1 : 0);
  const bare = (share: number) => whole(share).replace(/\s?%$/u, "");
  const words: Record<ColourBy, string[]> = {
    coverage: [
      `≥ ${whole(0.995)}`,
      `${bare(0.95)}–${whole(0.995)}`,
      `${bare(0.8)}–${whole(0.95)}`,
      `${bare(0.5)}–${whole(0.8)}`,
      `< ${whole(0.5)}`,
    ],
    seen: [
      `< ${format.duration(SEEN_STEPS_S[0] ?? 0)}`,
      ...SEEN_STEPS_S.map((step) => `≥ ${format.duration(step)}`),
    ],
    deviation: [
      `< ${whole(DEVIATION_STEPS[0] ?? 0)}`,
      ...DEVIATION_STEPS.map((step) => `≥ ${whole(step)}`),
    ],
  };
  return (
    <ul className="legend">
      {words[by].map((word, step) => (
        <li key={word}>
          <i className={`cell h${String(step)}`} />
          {word}
        </li>
      ))}
      <li>
        <Mark name="silent" />
        {texts.silentNow}
      </li>
    </ul>
  );
}
