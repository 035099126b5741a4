"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { identity, type NewToken, type Role, type Token } from "@/api/identity";
import { Field } from "@/components/field";
import { reasonOf } from "@/components/fault";
import { CsvButton } from "@/components/csv-button";
import { ShownOnce } from "@/components/shown-once";
import { NotThere } from "@/components/states";
import { SureButton } from "@/components/sure-button";
import { useFormat, useSpeech } from "@/i18n/language";

const ROLES: Role[] = ["device", "viewer", "operator", "admin"];
const DAY_MS = 86_400_000;

/** What devices, gateways and scripts show. */
export function Tokens() {
  const { texts } = useSpeech();
  const client = useQueryClient();
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: identity.tokens });
  const list = tokens.data?.items ?? [];
  const [made, setMade] = useState<{ help: string; secret: string } | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const run = async (work: () => Promise<{ token: string } | undefined>, help: string) => {
    setFault(null);
    setMade(null);
    try {
      const done = await work();
      if (done) setMade({ help, secret: done.token });
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    await client.invalidateQueries({ queryKey: ["tokens"] });
  };
  return (
    <section className="panel" aria-label={texts.tokens}>
      <header className="row">
        <h2>{texts.tokens}</h2>
        {list.length > 0 && (
          <CsvButton
            name="tokens"
            header={["name", "role", "writesPrefix", "equipmentIds", "lastUsed", "expires"]}
            rows={() =>
              list.map((token) => [
                token.name,
                token.role,
                token.writesPrefix,
                token.equipmentIds?.join(" ") ?? null,
                token.lastUsed,
                token.expires,
              ])
            }
          />
        )}
      </header>
      <Make onMake={(token) => void run(() => identity.makeToken(token), texts.tokenDone)} />
      {made && <ShownOnce {...made} />}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      <NotThere asked={tokens} lines={2} />
      {tokens.data && list.length === 0 && <p className="quiet">{texts.noTokens}</p>}
      <div className="scroll" hidden={list.length === 0}>
        <table>
          <thead>
            <tr>
              <th>{texts.name}</th>
              <th>{texts.role}</th>
              <th>{texts.writes}</th>
              <th>{texts.lastUsed}</th>
              <th>{texts.expires}</th>
              <th>
                <span className="visually-hidden">{texts.action}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((token) => (
              <Row
                key={token.id}
                token={token}
                onRotate={() =>
                  void run(
                    () => identity.rotateToken(token.id),
                    `${texts.tokenDone} ${texts.tokenDone2}`,
                  )
                }
                onRevoke={() => void run(() => identity.revokeToken(token.id), "")}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Make({ onMake }: { onMake: (token: NewToken) => void }) {
  const { texts } = useSpeech();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("device");
  const [prefix, setPrefix] = useState("");
  const [rate, setRate] = useState("");
  const [days, setDays] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expires = new Date(Date.now() + Number(days) * DAY_MS).toISOString();
    onMake({
      name: name.trim(),
      role,
      ...(role === "device" && prefix.trim() ? { writesPrefix: prefix.trim() } : {}),
      ...(rate ? { requestsPerSecond: Number(rate) } : {}),
      ...(days ? { expires } : {}),
    });
    setName("");
  };
  return (
    <form className="row" onSubmit={submit}>
      <Field label={texts.name} required maxLength={64} value={name} onText={setName} />
      <label>
        {texts.role}
        <select
          value={role}
          onChange={(event) => {
            setRole(event.target.value as Role);
          }}
        >
          {ROLES.map((one) => (
            <option key={one} value={one}>
              {texts[one]}
            </option>
          ))}
        </select>
      </label>
      {role === "device" && (
        <Field
          label={texts.prefix}
          placeholder={texts.prefixHelp}
          value={prefix}
          onText={setPrefix}
        />
      )}
      <Field label={texts.rate} type="number" min={1} value={rate} onText={setRate} />
      <Field label={texts.expiresDays} type="number" min={1} value={days} onText={setDays} />
      <button className="primary" type="submit">
        {texts.makeToken}
      </button>
    </form>
  );
}

function Row({
  token,
  onRotate,
  onRevoke,
}: {
  token: Token;
  onRotate: () => void;
  onRevoke: () => void;
}) {
  const { texts } = useSpeech();
  const format = useFormat();
  const some = [
    ...(token.writesPrefix ? [`${token.writesPrefix}…`] : []),
    ...(token.equipmentIds ?? []),
  ];
  const may = token.role === "device" || token.role === "admin";
  return (
    <tr>
      <td>{token.name}</td>
      <td>{texts[token.role]}</td>
      <td>{may ? some.join(", ") || texts.allSensors : "–"}</td>
      <td>{token.lastUsed ? format.moment(token.lastUsed) : texts.never}</td>
      <td>{token.expires ? format.moment(token.expires) : texts.never}</td>
      <td>
        <div className="row">
          <SureButton label={texts.rotate} onSure={onRotate} />
          <SureButton label={texts.revoke} onSure={onRevoke} />
        </div>
      </td>
    </tr>
  );
}
