"use client";

import { Icon } from "@/components/icons";
import { csv, save, type Cell } from "@/lib/save";

interface Props {
  /** Of the file, without its ending. */
  name: string;
  header: readonly string[];
  rows: () => readonly (readonly Cell[])[];
}

/** The table that it stands with, as a file. */
export function CsvButton({ name, header, rows }: Props) {
  return (
    <button
      className="small push"
      onClick={() => {
        save(csv(header, rows()), `${name}.csv`);
      }}
    >
      <Icon name="download" /> CSV
    </button>
  );
}
