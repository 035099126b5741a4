/** Line icons, 16 by 16, in the colour of the text beside them. */
const PATHS = {
  search: "M7 12.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM11 11l3.5 3.5",
  bell: "M3 11.5h10l-1.4-2V6.4a3.6 3.6 0 0 0-7.2 0v3.1zM6.4 13.8h3.2",
  moon: "M13.5 9.4A5.8 5.8 0 0 1 6.6 2.5a5.8 5.8 0 1 0 6.9 6.9Z",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.2v1.4M8 13.4v1.4M1.2 8h1.4M13.4 8h1.4M3.2 3.2l1 1M11.8 11.8l1 1M3.2 12.8l1-1M11.8 4.2l1-1",
  half: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12",
  down: "m4 6 4 4 4-4",
  left: "m10 3-5 5 5 5",
  right: "m6 3 5 5-5 5",
  download: "M8 2v8.5M4.5 7.5 8 11l3.5-3.5M2.5 14h11",
  upload: "M8 11V2.5M4.5 6 8 2.5 11.5 6M2.5 14h11",
  chart: "M2 13.5h12M2.5 10.5l3.5-4 3 2.5L13.5 3",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
  plus: "M8 3v10M3 8h10",
  close: "m3.5 3.5 9 9M12.5 3.5l-9 9",
  check: "m3 8.5 3.5 3.5L13 4.5",
  undo: "M5.5 3 2.5 6l3 3M2.5 6h7a3.7 3.7 0 0 1 0 7.4H6",
  send: "m2 7.2 12-5-4.6 11.6-2-5.2zM7.4 8.6 14 2.2",
  file: "M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3",
  pencil: "m2.5 13.5.8-3L11 2.8l2.2 2.2-7.7 7.7z",
  grid: "M2 2h4.8v4.8H2zM9.2 2H14v4.8H9.2zM2 9.2h4.8V14H2zM9.2 9.2H14V14H9.2z",
  more: "M3.2 8h.1M8 8h.1M12.8 8h.1",
  list: "M2 4h12M2 8h12M2 12h12",
  letter: "M2 3.5h12v9H2zM2 4l6 5 6-5",
  scale: "M8 2v12M4 14h8M3 4.5h10M3 4.5l-1.8 4.6h3.6zM13 4.5l-1.8 4.6h3.6z",
  key: "M5.5 12.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM7.6 7.4 13.5 1.5M11 4l2 2",
  person: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c.6-3 2.7-4.5 5.5-4.5s4.9 1.5 5.5 4.5",
  door: "M9.5 2h-6v12h6M6.5 8H14M11.5 5.5 14 8l-2.5 2.5",
  screen: "M1.5 3h13v8.5h-13zM5.5 14h5",
  book: "M2.5 2.5h4A1.5 1.5 0 0 1 8 4v9.5A1.5 1.5 0 0 0 6.5 12h-4zM13.5 2.5h-4A1.5 1.5 0 0 0 8 4v9.5A1.5 1.5 0 0 1 9.5 12h4z",
  keyboard: "M1.5 4h13v8h-13zM4 6.5h.1M6.7 6.5h.1M9.4 6.5h.1M12 6.5h.1M5 9.5h6",
  table: "M2 3h12v10H2zM2 6.5h12M6.5 6.5V13",
  picture: "M2 3h12v10H2zM2 11l3.5-4 3 3 2-1.8L14 11",
  pause: "M5.5 3.5v9M10.5 3.5v9",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth={name === "more" ? 2.4 : 1.5}
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

/** The rail with its gap: the product's mark. */
export function Logo({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 22 22" aria-hidden="true">
      <rect width="22" height="22" rx="6" fill="var(--acc)" />
      <path d="M4.2 9.2h3.6v3.6H4.2zM14.2 9.2h3.6v3.6h-3.6z" fill="var(--onacc)" />
      <path d="M8.5 6.5v9M13.5 6.5v9" stroke="var(--onacc)" strokeWidth="1.6" />
    </svg>
  );
}
