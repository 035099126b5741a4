"use client";

import type { InputHTMLAttributes } from "react";

type Props = Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> & {
  label: string;
  onText: (text: string) => void;
};

/** A labelled input that hands on its text. */
export function Field({ label, onText, ...rest }: Props) {
  return (
    <label>
      {label}
      <input
        {...rest}
        onChange={(event) => {
          onText(event.target.value);
        }}
      />
    </label>
  );
}
