/** Track = the last 30 days, block = this window, tick = the mean. */
export function RangeBar(props: {
  low: number | null;
  high: number | null;
  min: number | null;
  max: number | null;
  mean: number | null;
}) {
  const { min, max, mean } = props;
  if (min === null || max === null || mean === null || props.low === null || props.high === null)
    return <span className="range" />;
  // The month may be some seconds older than the window.
  const low = Math.min(props.low, min);
  const high = Math.max(props.high, max);
  const place = (value: number) => (high === low ? 500 : ((value - low) / (high - low)) * 960 + 20);
  return (
    <svg className="range" viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">
      <rect x="0" y="6.5" width="1000" height="1.5" fill="var(--bg3)" />
      <rect
        x={place(min)}
        y="4.5"
        width={Math.max(12, place(max) - place(min))}
        height="5"
        rx="2"
        fill="var(--spark)"
        opacity="0.55"
      />
      <line x1={place(mean)} x2={place(mean)} y1="1" y2="13" className="tick" />
    </svg>
  );
}
