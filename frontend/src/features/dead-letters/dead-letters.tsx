"use client";

import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import type { DeadLetterItem, Door } from "@/api/types";
import { CsvButton } from "@/components/csv-button";
import { PageHead } from "@/components/page-head";
import { NotThere, Nothing } from "@/components/states";
import { Letter } from "@/features/dead-letters/letter";
import { useFormat, useSpeech } from "@/i18n/language";
import { count } from "@/lib/format";

const DOORS: Door[] = ["mqtt", "mqtt-broker", "store"];

/** What could not be answered: find it, read it, mend it, send it again or throw it away. */
export function DeadLetters() {
  const { texts, language } = useSpeech();
  const client = useQueryClient();
  const [door, setDoor] = useState<Door | "">("");
  const [text, setText] = useState("");
  const [openId, setOpenId] = useState<number | null>(null);
  const pages = useInfiniteQuery({
    queryKey: ["dead-letters", door, text],
    queryFn: ({ pageParam }) => api.deadLetters(door, text, pageParam),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });
  const letters = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const total = pages.data?.pages[0]?.total ?? null;
  const open = letters.find((letter) => letter.id === openId) ?? null;
  const refresh = () => client.invalidateQueries({ queryKey: ["dead-letters"] });
  const doors: Record<Door, string> = {
    mqtt: texts.doorMqtt,
    "mqtt-broker": texts.doorBroker,
    store: texts.doorStore,
  };
  return (
    <main>
      <PageHead
        title={texts.deadLetters}
        about={total !== null ? count(total, language) : undefined}
      >
        <input
          type="search"
          aria-label={texts.findLetter}
          placeholder={texts.findLetter}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
          }}
        />
        <select
          aria-label={texts.door}
          value={door}
          onChange={(event) => {
            setDoor(event.target.value as Door | "");
          }}
        >
          <option value="">{texts.everyDoor}</option>
          {DOORS.map((one) => (
            <option key={one} value={one}>
              {doors[one]}
            </option>
          ))}
        </select>
        {letters.length > 0 && (
          <CsvButton
            name="dead-letters"
            header={["received", "door", "client", "topic", "reason", "payload"]}
            rows={() => letters.map(cellsOf)}
          />
        )}
      </PageHead>
      <p className="quiet">{texts.deadLettersHelp}</p>
      {letters.length === 0 && (
        <section className="panel">
          <NotThere asked={pages} />
          {pages.data && (
            <Nothing>{door || text ? texts.noLetterMatches : texts.noLetters}</Nothing>
          )}
        </section>
      )}
      <div className={open ? "two open" : "two"}>
        {letters.length > 0 && (
          <section className="panel" aria-label={texts.deadLetters}>
            <LetterTable letters={letters} doors={doors} openId={openId} onOpen={setOpenId} />
            {pages.hasNextPage && (
              <button
                disabled={pages.isFetchingNextPage}
                onClick={() => void pages.fetchNextPage()}
              >
                {texts.older}
              </button>
            )}
          </section>
        )}
        {open && (
          <Letter
            key={open.id}
            letter={open}
            door={doors[open.door]}
            onChange={refresh}
            onClose={() => {
              setOpenId(null);
            }}
          />
        )}
      </div>
    </main>
  );
}

const cellsOf = (letter: DeadLetterItem) => [
  letter.received,
  letter.door,
  letter.client,
  letter.topic,
  letter.reason,
  letter.payload ?? letter.payloadBase64,
];

interface TableProps {
  letters: DeadLetterItem[];
  doors: Record<Door, string>;
  openId: number | null;
  onOpen: (id: number) => void;
}

function LetterTable({ letters, doors, openId, onOpen }: TableProps) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>{texts.receivedAt}</th>
            <th>{texts.door}</th>
            <th>{texts.topic}</th>
            <th>{texts.reason}</th>
          </tr>
        </thead>
        <tbody>
          {letters.map((letter) => (
            <tr
              key={letter.id}
              className="letter"
              aria-selected={letter.id === openId}
              onClick={() => {
                onOpen(letter.id);
              }}
            >
              <td>
                <button className="link">{format.moment(letter.received)}</button>
              </td>
              <td>{doors[letter.door]}</td>
              <td>{letter.topic || letter.client || "–"}</td>
              <td>{letter.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
