"use client";

import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { ApiError } from "@/api/client";
import { identity } from "@/api/identity";
import { Field } from "@/components/field";
import { reasonOf } from "@/components/fault";
import type { Texts } from "@/i18n/en";
import { fill, useSpeech } from "@/i18n/language";

const FACTOR = "second_factor_required";

/** Why the way back from a provider ended here; it does not stay in the address. */
function codeOfReturn(): string | null {
  const code = new URLSearchParams(location.search).get("fault");
  if (code) history.replaceState(null, "", location.pathname);
  return code;
}

function textOfReturn(code: string, texts: Texts): string {
  const told: Record<string, string> = {
    sign_in_stale: texts.signInStale,
    sign_in_declined: texts.signInDeclined,
    no_role: texts.noRole,
    disabled: texts.shutOut,
    provider_unreachable: texts.providerAway,
  };
  return told[code] ?? texts.signInRefused;
}

/** Other places that know who people are. */
function Providers({ onFault }: { onFault: (fault: string) => void }) {
  const { texts } = useSpeech();
  const offered = useQuery({ queryKey: ["providers"], queryFn: identity.providers });
  const begin = async (name: string) => {
    try {
      const begun = await identity.beginElsewhere(name, location.pathname + location.search);
      location.assign(begun.location);
    } catch (error) {
      const away = error instanceof ApiError && error.code === "provider_unreachable";
      onFault(away ? texts.providerAway : reasonOf(error, texts.unreachable));
    }
  };
  return offered.data?.items.map(({ name, title }) => (
    <button key={name} type="button" onClick={() => void begin(name)}>
      {fill(texts.signInWith, { title })}
    </button>
  ));
}

export function SignIn({ onDone }: { onDone: () => void }) {
  const { texts } = useSpeech();
  const [byToken, setByToken] = useState(false);
  const [token, setToken] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asksForCode, setAsksForCode] = useState(false);
  const [returned] = useState(codeOfReturn);
  const [fault, setFault] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setFault(null);
    try {
      await (byToken
        ? identity.signInByToken(token.trim())
        : identity.signIn(name.trim(), password, asksForCode ? code.trim() : undefined));
      onDone();
    } catch (error) {
      if (error instanceof ApiError && error.code === FACTOR) {
        setAsksForCode(true);
        return;
      }
      const wrong = error instanceof ApiError && error.status === 401;
      const reason = asksForCode ? texts.wrongCode : texts.wrongPassword;
      setFault(wrong ? (byToken ? texts.wrongToken : reason) : reasonOf(error, texts.unreachable));
    }
  };
  return (
    <div className="center">
      <form className="panel card" onSubmit={(event) => void submit(event)}>
        <h1>{texts.signIn}</h1>
        {byToken ? (
          <Field
            label={texts.token}
            type="password"
            autoComplete="off"
            required
            value={token}
            onText={setToken}
          />
        ) : (
          <>
            <Field
              label={texts.personName}
              autoComplete="username"
              required
              value={name}
              onText={setName}
            />
            <Field
              label={texts.password}
              type="password"
              autoComplete="current-password"
              required
              value={password}
              onText={setPassword}
            />
          </>
        )}
        {!byToken && asksForCode && (
          <>
            <Field
              label={texts.code}
              inputMode="numeric"
              autoComplete="one-time-code"
              autoFocus
              required
              value={code}
              onText={setCode}
            />
            <span className="quiet">{texts.codeHelp}</span>
          </>
        )}
        {(fault ?? returned) && (
          <p className="error" role="alert">
            {fault ?? textOfReturn(returned ?? "", texts)}
          </p>
        )}
        <button className="primary" type="submit">
          {texts.signIn}
        </button>
        <Providers onFault={setFault} />
        <button
          type="button"
          onClick={() => {
            setByToken(!byToken);
            setAsksForCode(false);
            setFault(null);
          }}
        >
          {byToken ? texts.useName : texts.useToken}
        </button>
        <span className="quiet">{byToken ? texts.tokenHelp : texts.nameHelp}</span>
      </form>
    </div>
  );
}
