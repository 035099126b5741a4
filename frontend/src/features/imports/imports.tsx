"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { useMayOperate } from "@/api/queries";
import type { ImportItem } from "@/api/types";
import { reasonOf } from "@/components/fault";
import { Icon } from "@/components/icons";
import { PageHead } from "@/components/page-head";
import { Failure, Nothing, Skeleton } from "@/components/states";
import { useSpeech } from "@/i18n/language";
import { useView } from "@/lib/view";

import { DropZone } from "./drop-zone";
import { History } from "./history";
import { Opened } from "./opened";
import { Progress } from "./progress";
import { Undo } from "./undo";
import { useUpload } from "./use-upload";

const RUNNING = new Set<ImportItem["state"]>(["queued", "running", "undoing"]);

/** What would this file change? Nothing is written until it is applied. */
export function Imports() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const view = useView();
  const mayOperate = useMayOperate();
  const [undoing, setUndoing] = useState<ImportItem | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const imports = useQuery({
    queryKey: ["imports"],
    queryFn: api.imports,
    refetchInterval: (query) =>
      query.state.data?.items.some((item) => RUNNING.has(item.state)) ? 500 : 10_000,
  });
  const open = (id: number | null) => {
    view.change({ id: id === null ? null : String(id) }, "push");
  };
  const { sending, fault: uploadFault, send, cancel } = useUpload(open);
  const items = imports.data?.items ?? [];
  const running = items.filter((item) => RUNNING.has(item.state));
  const asked = Number(view.get("id"));
  const shown = items.find((item) => item.id === asked) ?? null;
  const act = async (action: (id: number) => Promise<ImportItem>, item: ImportItem) => {
    setBusy(true);
    setFault(null);
    try {
      await action(item.id);
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    await client.invalidateQueries({ queryKey: ["imports"] });
    setBusy(false);
  };
  return (
    <main className="imports">
      <PageHead title={texts.imports} about={texts.importsAbout}>
        <a className="button" href="/docs">
          <Icon name="copy" /> {texts.importByApi}
        </a>
        {shown && mayOperate && (
          <button
            onClick={() => {
              open(null);
            }}
          >
            <Icon name="plus" /> {texts.newImport}
          </button>
        )}
      </PageHead>
      <div className="with-side">
        <div className="stack">
          {mayOperate && (!shown || sending) && (
            <DropZone
              sending={sending}
              fault={uploadFault}
              onFile={(file, zone) => void send(file, zone)}
              onCancel={cancel}
            />
          )}
          {shown && !RUNNING.has(shown.state) && (
            <Opened
              key={shown.id}
              item={shown}
              mayOperate={mayOperate}
              busy={busy}
              fault={fault}
              onApply={() => void act(api.applyImport, shown)}
              onDiscard={() => {
                void act(api.withdrawImport, shown).then(() => {
                  open(null);
                });
              }}
              onUndo={() => {
                setUndoing(shown);
              }}
            />
          )}
          {shown && RUNNING.has(shown.state) && (
            <section className="panel">
              <Skeleton lines={8} />
            </section>
          )}
          {!shown && !mayOperate && (
            <section className="panel">
              <Nothing>{texts.onlyOperatorsImport}</Nothing>
            </section>
          )}
        </div>
        <aside className="stack">
          {running.map((item) => (
            <Progress
              key={item.id}
              item={item}
              onStop={
                mayOperate && item.state !== "undoing"
                  ? () => void act(api.withdrawImport, item)
                  : null
              }
            />
          ))}
          {imports.isPending && (
            <section className="panel">
              <Skeleton lines={6} />
            </section>
          )}
          {imports.isError && items.length === 0 && (
            <section className="panel">
              <Failure error={imports.error} onAgain={() => void imports.refetch()} />
            </section>
          )}
          {imports.data && items.length === 0 && (
            <section className="panel">
              <Nothing>{texts.noImports}</Nothing>
            </section>
          )}
          {items.length > 0 && (
            <History
              items={items}
              openId={shown?.id ?? null}
              mayOperate={mayOperate}
              onOpen={open}
              onUndo={setUndoing}
              onResume={(item) => void act(api.resumeImport, item)}
            />
          )}
        </aside>
      </div>
      {undoing && (
        <Undo
          item={undoing}
          onUndo={() => {
            void act(api.withdrawImport, undoing);
            setUndoing(null);
          }}
          onKeep={() => {
            setUndoing(null);
          }}
        />
      )}
    </main>
  );
}
