"use client";

import { CopyButton } from "@/components/copy-button";

export function CodeBlock({ text }: { text: string }) {
  return (
    <div className="code-block">
      <pre tabIndex={0}>{text}</pre>
      <CopyButton text={text} />
    </div>
  );
}
