import type { RowSeries } from "@/api/row-series";

/** A line without axes: its gaps are shaded, and it ends in a dot only while it is live. */
export function Sparkline({ series, live }: { series: RowSeries | null; live: boolean }) {
  return (
    <span className="spark">
      {series && (
        <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
          {series.rail.gaps.map((gap, index) => (
            <g key={index} className={gap.open && !live ? "hole open" : "hole"}>
              <rect x={gap.from * 1000} y="0" width={(gap.to - gap.from) * 1000} height="100" />
              <line x1={gap.from * 1000} x2={gap.to * 1000} y1="98" y2="98" />
            </g>
          ))}
          <path d={series.path} />
          {live && series.last && (
            // A line of no length has round ends that the stretched box cannot squash.
            <path
              className="dot"
              d={`M${String(Math.min(990, series.last.x))} ${String(series.last.y)}h0.01`}
            />
          )}
        </svg>
      )}
    </span>
  );
}
