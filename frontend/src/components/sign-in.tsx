"use client";

import { useState, type FormEvent } from "react";

import { ApiError } from "@/api/client";
import { identity } from "@/api/identity";
import { Field } from "@/components/field";
import { reasonOf } from "@/components/fault";
import { useSpeech } from "@/i18n/language";

const FACTOR = "second_factor_required";

export function SignIn({ onDone }: { onDone: () => void }) {
  const { texts } = useSpeech();
  const [byToken, setByToken] = useState(false);
  const [token, setToken] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asksForCode, setAsksForCode] = useState(false);
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
        {fault && (
          <p className="error" role="alert">
            {fault}
          </p>
        )}
        <button className="primary" type="submit">
          {texts.signIn}
        </button>
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
