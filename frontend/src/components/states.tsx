"use client";

import { useEffect, useState, type ReactNode } from "react";

import { ApiError } from "@/api/client";
import { Icon } from "@/components/icons";
import { Mark } from "@/components/marks";
import { fill, useFormat, useSpeech } from "@/i18n/language";

const PATIENCE_MS = 200;

/** Nothing for a moment, then the shape of what comes. */
export function Skeleton({ lines = 5 }: { lines?: number }) {
  const { texts } = useSpeech();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      setShown(true);
    }, PATIENCE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, []);
  return (
    <div className="skeleton" role="status" aria-label={texts.loading}>
      {shown && Array.from({ length: lines }, (_, index) => <i key={index} />)}
    </div>
  );
}

/** Inside the panel that failed: what, when, that stored data is safe, and what to do. */
export function Failure(props: { error: unknown; onAgain: () => void; what?: string }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const [copied, setCopied] = useState(false);
  const known = props.error instanceof ApiError ? props.error : null;
  const at = format.clock(known?.at ?? Date.now());
  const what = props.what ?? texts.failed;
  const why =
    known && known.status > 0
      ? fill(texts.answered, { status: known.status, time: at })
      : fill(texts.noAnswer, { time: at });
  const details = [what, why, known?.code, known?.message, location.href]
    .filter(Boolean)
    .join("\n");
  if (known?.status === 403) return <NotAllowed />;
  return (
    <div className="nothing" role="alert">
      <p className="state silent">
        <Mark name="silent" /> <b>{what}</b>
      </p>
      <p className="quiet">{why}</p>
      <div className="row">
        <button onClick={props.onAgain}>{texts.again}</button>
        <button
          className="link"
          onClick={() => {
            void navigator.clipboard.writeText(details).then(() => {
              setCopied(true);
            });
          }}
        >
          {copied ? texts.copied : texts.copyDetails}
        </button>
      </div>
    </div>
  );
}

function NotAllowed() {
  const { texts } = useSpeech();
  return (
    <div className="nothing" role="status">
      <p>{texts.notAllowed}</p>
      <p className="quiet">{texts.notAllowedHelp}</p>
    </div>
  );
}

interface Asked {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  data: unknown;
  refetch: () => unknown;
}

/** What stands in a list's place while it is on its way, or when it did not come. */
export function NotThere({ asked, lines }: { asked: Asked; lines?: number }) {
  if (asked.isPending) return <Skeleton lines={lines} />;
  if (asked.isError && asked.data === undefined)
    return <Failure error={asked.error} onAgain={() => void asked.refetch()} />;
  return null;
}

/** Why there is nothing, and one way out. */
export function Nothing({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className="nothing" role="status">
      <p>{children}</p>
      {action}
    </div>
  );
}

export function ClearFilters({ count, onClear }: { count: number; onClear: () => void }) {
  const { texts } = useSpeech();
  return (
    <button onClick={onClear}>
      <Icon name="close" />
      {fill(count === 1 ? texts.clearFilter : texts.clearFilters, { count })}
    </button>
  );
}
