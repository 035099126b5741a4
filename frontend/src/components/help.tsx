"use client";

import { Dialog } from "@/components/dialog";
import { useSpeech } from "@/i18n/language";

export function Help({ onClose }: { onClose: () => void }) {
  const { texts } = useSpeech();
  const lines: [string, string][] = [
    ["/", texts.keySearch],
    ["G O · G S · G C · G L · G I", texts.keyGo],
    ["1 2 3 4", texts.keyWindow],
    ["↑ ↓ ← →", texts.keyMove],
    ["Enter", texts.keyOpen],
    ["Space", texts.keyChoose],
    ["C", texts.keyCompare],
    ["R", texts.keyRequest],
    ["+ − 0", texts.keyZoom],
    ["[ ]", texts.keyGap],
    ["T", texts.keyTheme],
    ["?", texts.keyHelp],
    ["Esc", texts.keyClose],
  ];
  return (
    <Dialog title={texts.keys} onClose={onClose}>
      <dl className="keys">
        {lines.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
