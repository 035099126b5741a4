"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { identity, type Me } from "@/api/identity";
import { Field } from "@/components/field";
import { reasonOf } from "@/components/fault";
import { PageHead } from "@/components/page-head";
import { NotThere, Nothing } from "@/components/states";
import { fill, useFormat, useSpeech } from "@/i18n/language";

/** Where I am signed in, my password and my second factor. */
export function Account() {
  const { texts } = useSpeech();
  const me = useQuery({ queryKey: ["me"], queryFn: identity.whoAmI, staleTime: 60_000 });
  return (
    <main>
      <PageHead title={texts.account} />
      {me.data && !me.data.isPerson && (
        <section className="panel">
          <Nothing>{texts.notAPerson}</Nothing>
        </section>
      )}
      {me.data?.isPerson && (
        <>
          <Sessions />
          {me.data.provider ? (
            <p className="quiet">{fill(texts.providedBy, { title: me.data.provider })}</p>
          ) : (
            <>
              <Password />
              <Factor me={me.data} />
            </>
          )}
        </>
      )}
    </main>
  );
}

function Sessions() {
  const { texts } = useSpeech();
  const format = useFormat();
  const client = useQueryClient();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: identity.sessions });
  const end = async (id: string) => {
    await identity.endSession(id).catch(() => undefined);
    await client.invalidateQueries({ queryKey: ["sessions"] });
  };
  return (
    <section className="panel" aria-label={texts.mySessions}>
      <h2>{texts.mySessions}</h2>
      <NotThere asked={sessions} lines={2} />
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>{texts.from}</th>
              <th>{texts.lastSeenAt}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {sessions.data?.items.map((one) => (
              <tr key={one.id}>
                <td>
                  {one.address} <span className="quiet">{one.agent}</span>
                </td>
                <td>{format.moment(one.seen)}</td>
                <td>
                  {one.present ? (
                    texts.thisBrowser
                  ) : (
                    <button onClick={() => void end(one.id)}>{texts.endSession}</button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Password() {
  const { texts } = useSpeech();
  const [present, setPresent] = useState("");
  const [fresh, setFresh] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const [done, setDone] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setFault(null);
    setDone(false);
    try {
      await identity.changePassword(present, fresh);
      setDone(true);
      setPresent("");
      setFresh("");
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
  };
  return (
    <section className="panel" aria-label={texts.changePassword}>
      <h2>{texts.changePassword}</h2>
      <form className="row" onSubmit={(event) => void submit(event)}>
        <Field
          label={texts.presentPassword}
          type="password"
          autoComplete="current-password"
          required
          value={present}
          onText={setPresent}
        />
        <Field
          label={texts.newPassword}
          type="password"
          autoComplete="new-password"
          required
          minLength={12}
          value={fresh}
          onText={setFresh}
        />
        <button type="submit">{texts.changePassword}</button>
      </form>
      {done && <p role="status">{texts.passwordChanged}</p>}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
    </section>
  );
}

function Factor({ me }: { me: Me }) {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const [offer, setOffer] = useState<{ secret: string; svg: string } | null>(null);
  const [code, setCode] = useState("");
  const [password, setPassword] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const run = async (work: () => Promise<unknown>) => {
    setFault(null);
    try {
      await work();
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
      return;
    }
    await client.invalidateQueries({ queryKey: ["me"] });
  };
  const confirm = async (event: FormEvent) => {
    event.preventDefault();
    await run(async () => {
      if (me.secondFactor) await identity.removeFactor(password);
      else if (offer) await identity.setFactor(offer.secret, code.trim(), password);
      setOffer(null);
      setCode("");
      setPassword("");
    });
  };
  return (
    <section className="panel" aria-label={texts.secondFactor}>
      <h2>{texts.secondFactor}</h2>
      <p>{me.secondFactor ? texts.factorOn : texts.factorOff}</p>
      {!me.secondFactor && !offer && (
        <button
          onClick={() =>
            void run(async () => {
              setOffer(await identity.offerFactor());
            })
          }
        >
          {texts.setUpFactor}
        </button>
      )}
      {offer && (
        <>
          <p>{texts.scan}</p>
          <img
            alt="QR"
            width={220}
            height={220}
            src={`data:image/svg+xml;utf8,${encodeURIComponent(offer.svg)}`}
          />
          <pre>{offer.secret}</pre>
        </>
      )}
      {(me.secondFactor || offer) && (
        <form className="row" onSubmit={(event) => void confirm(event)}>
          {offer && (
            <Field
              label={texts.code}
              inputMode="numeric"
              autoComplete="one-time-code"
              required
              value={code}
              onText={setCode}
            />
          )}
          <Field
            label={texts.presentPassword}
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onText={setPassword}
          />
          <button type="submit">{me.secondFactor ? texts.turnOff : texts.confirm}</button>
        </form>
      )}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
    </section>
  );
}
