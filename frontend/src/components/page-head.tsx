import type { ReactNode } from "react";

/** The line under the bar: what this is, of when, and what can be done. */
export function PageHead(props: { title: string; about?: ReactNode; children?: ReactNode }) {
  return (
    <div className="page-head">
      <h1>{props.title}</h1>
      {props.about !== undefined && <span className="about">{props.about}</span>}
      <div className="actions">{props.children}</div>
    </div>
  );
}
