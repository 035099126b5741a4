"use client";

import { useEffect, useState, type FormEvent } from "react";

import { identity } from "@/api/identity";
import { Field } from "@/components/field";
import { reasonOf } from "@/components/fault";
import { fill, useSpeech } from "@/i18n/language";

/** Where an invitation leads: its secret stands behind the # and is sent only in a body. */
export function Welcome() {
  const { texts } = useSpeech();
  const [invitation, setInvitation] = useState("");
  const [known, setKnown] = useState<{ name: string | null } | null>(null);
  const [bad, setBad] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    const text = location.hash.slice(1);
    setInvitation(text);
    identity.showInvitation(text || "-").then(setKnown, () => {
      setBad(true);
    });
  }, []);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setFault(null);
    try {
      await identity.accept(invitation, known?.name ?? name.trim(), password);
      location.replace("/");
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
  };
  if (bad)
    return (
      <div className="center">
        <section className="panel card">
          <h1>{texts.welcome}</h1>
          <p className="error" role="alert">
            {texts.welcomeBad}
          </p>
          <span className="quiet">{texts.welcomeAsk}</span>
        </section>
      </div>
    );
  if (!known) return null;
  return (
    <div className="center">
      <form className="panel card" onSubmit={(event) => void submit(event)}>
        <h1>{known.name ? fill(texts.welcomeBack, { name: known.name }) : texts.welcome}</h1>
        {!known.name && (
          <Field
            label={texts.personName}
            autoComplete="username"
            required
            maxLength={64}
            value={name}
            onText={setName}
          />
        )}
        <Field
          label={texts.newPassword}
          type="password"
          autoComplete="new-password"
          required
          minLength={12}
          value={password}
          onText={setPassword}
        />
        <span className="quiet">{texts.welcomeHelp}</span>
        {fault && (
          <p className="error" role="alert">
            {fault}
          </p>
        )}
        <button className="primary" type="submit">
          {texts.begin}
        </button>
      </form>
    </div>
  );
}
