"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { identity, type Role, type User } from "@/api/identity";
import { reasonOf } from "@/components/fault";
import { CsvButton } from "@/components/csv-button";
import { ShownOnce } from "@/components/shown-once";
import { NotThere } from "@/components/states";
import { SureButton } from "@/components/sure-button";
import { useFormat, useSpeech } from "@/i18n/language";

const ROLES: Role[] = ["viewer", "operator", "admin"];

/** Who may sign in, and links for those who are to. */
export function People({ me }: { me: string }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const client = useQueryClient();
  const users = useQuery({ queryKey: ["users"], queryFn: identity.users });
  const people = users.data?.items ?? [];
  const [role, setRole] = useState<Role>("viewer");
  const [link, setLink] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const run = async (work: () => Promise<unknown>) => {
    setFault(null);
    try {
      const done = await work();
      if (typeof done === "object" && done !== null && "path" in done)
        setLink(location.origin + String(done.path));
    } catch (error) {
      setFault(reasonOf(error, texts.unreachable));
    }
    await client.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <section className="panel" aria-label={texts.people}>
      <header className="row">
        <h2>{texts.people}</h2>
        {people.length > 0 && (
          <CsvButton
            name="people"
            header={["name", "role", "secondFactor", "provider", "signedIn", "disabled", "created"]}
            rows={() =>
              people.map((user) => [
                user.name,
                user.role,
                String(user.secondFactor),
                user.provider,
                user.signedIn,
                String(user.disabled),
                user.created,
              ])
            }
          />
        )}
      </header>
      <div className="row">
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
        <button className="primary" onClick={() => void run(() => identity.invite(role))}>
          {texts.invite}
        </button>
        <span className="quiet">{texts.roleHelp}</span>
      </div>
      {link && <ShownOnce help={texts.inviteDone} secret={link} />}
      {fault && (
        <p className="error" role="alert">
          {fault}
        </p>
      )}
      <NotThere asked={users} lines={2} />
      {users.data && people.length === 0 && <p className="quiet">{texts.noPeople}</p>}
      <div className="scroll" hidden={people.length === 0}>
        <table>
          <thead>
            <tr>
              <th>{texts.personName}</th>
              <th>{texts.role}</th>
              <th>{texts.secondFactor}</th>
              <th>{texts.lastSignIn}</th>
              <th>
                <span className="visually-hidden">{texts.action}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {people.map((user) => (
              <Row key={user.id} user={user} mine={user.name === me} run={run} />
            ))}
          </tbody>
        </table>
      </div>
      {users.data && users.data.invitations.length > 0 && (
        <>
          <h2>{texts.invited}</h2>
          <ul>
            {users.data.invitations.map((one) => (
              <li key={one.id} className="row">
                {one.name ?? texts[one.role]} · {texts.by} {one.createdBy} · {texts.expires}{" "}
                {format.moment(one.expires)}
                <button onClick={() => void run(() => identity.withdraw(one.id))}>
                  {texts.withdraw}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Row({
  user,
  mine,
  run,
}: {
  user: User;
  mine: boolean;
  run: (work: () => Promise<unknown>) => Promise<void>;
}) {
  const { texts } = useSpeech();
  const format = useFormat();
  return (
    <tr>
      <td>
        {user.name} {mine && <span className="quiet">({texts.you})</span>}
        {user.provider && <span className="quiet">({user.provider})</span>}{" "}
        {user.disabled && <span className="quiet">({texts.disabled})</span>}
      </td>
      <td>
        <select
          aria-label={`${texts.role}: ${user.name}`}
          value={user.role}
          disabled={mine || user.provider !== null}
          onChange={(event) => {
            const role = event.target.value as Role;
            void run(() => identity.changeUser(user.id, { role }));
          }}
        >
          {ROLES.map((one) => (
            <option key={one} value={one}>
              {texts[one]}
            </option>
          ))}
        </select>
      </td>
      <td>{user.secondFactor ? texts.yes : texts.no}</td>
      <td>{user.signedIn ? format.moment(user.signedIn) : texts.never}</td>
      <td>
        {!mine && (
          <div className="row">
            {!user.provider && (
              <button onClick={() => void run(() => identity.recoverUser(user.id))}>
                {texts.recover}
              </button>
            )}
            <button onClick={() => void run(() => identity.signOutUser(user.id))}>
              {texts.signOutEverywhere}
            </button>
            <button
              onClick={() =>
                void run(() => identity.changeUser(user.id, { disabled: !user.disabled }))
              }
            >
              {user.disabled ? texts.enable : texts.disable}
            </button>
            <SureButton
              label={texts.remove}
              onSure={() => void run(() => identity.removeUser(user.id))}
            />
          </div>
        )}
      </td>
    </tr>
  );
}
