"use client";

import { useState, type FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import { useSpeech } from "@/i18n/language";

export function SignIn({ onDone }: { onDone: () => void }) {
  const { texts } = useSpeech();
  const [token, setToken] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await api.signIn(token.trim());
      onDone();
    } catch (error) {
      const wrong = error instanceof ApiError && error.status === 401;
      setFault(
        wrong ? texts.wrongToken : error instanceof ApiError ? error.message : texts.unreachable,
      );
    }
  };
  return (
    <div className="center">
      <form className="panel card" onSubmit={(event) => void submit(event)}>
        <h1>{texts.signIn}</h1>
        <label>
          {texts.token}
          <input
            type="password"
            autoComplete="current-password"
            required
            value={token}
            onChange={(event) => {
              setToken(event.target.value);
            }}
          />
        </label>
        {fault && (
          <p className="error" role="alert">
            {fault}
          </p>
        )}
        <button className="primary" type="submit">
          {texts.signIn}
        </button>
        <span className="quiet">{texts.tokenHelp}</span>
      </form>
    </div>
  );
}
