import type { RailParts } from "@/lib/rail";

/** The one bar that stands for time: filled = stored, broken with ticks = gap, hollow = imported. */
export function Rail({ parts, label }: { parts: RailParts | null; label?: string }) {
  return (
    <svg
      className="rail"
      viewBox="0 0 1000 12"
      preserveAspectRatio="none"
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    >
      {parts?.stored.map((span, index) => (
        <rect
          key={index}
          x={span.from * 1000}
          y="3"
          width={(span.to - span.from) * 1000}
          height="6"
          fill="var(--spark)"
        />
      ))}
      {parts?.imported.map((span, index) => (
        <rect
          key={index}
          className="hollow"
          x={span.from * 1000}
          y="3.5"
          width={Math.max(4, (span.to - span.from) * 1000)}
          height="5"
        />
      ))}
      {parts?.gaps.map((gap, index) => (
        <g key={index} className={gap.open ? "break open" : "break"}>
          <line x1={gap.from * 1000} x2={gap.to * 1000} y1="6" y2="6" />
          <line x1={gap.from * 1000} x2={gap.from * 1000} y1="1" y2="11" />
          {!gap.open && <line x1={gap.to * 1000} x2={gap.to * 1000} y1="1" y2="11" />}
        </g>
      ))}
    </svg>
  );
}
