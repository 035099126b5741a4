import { call, json } from "./client";

export type Role = "viewer" | "operator" | "admin" | "device";

export interface Me {
  name: string;
  role: Role;
  isPerson: boolean;
  secondFactor: boolean;
  /** By which he signs in, where he has no password here. */
  provider: string | null;
}

export interface Provider {
  name: string;
  title: string;
}

export interface User {
  id: number;
  name: string;
  role: Role;
  created: string;
  createdBy: string;
  disabled: boolean;
  secondFactor: boolean;
  signedIn: string | null;
  provider: string | null;
}

export interface Invitation {
  id: string;
  role: Role;
  name: string | null;
  createdBy: string;
  expires: string;
}

export interface Token {
  id: number;
  name: string;
  role: Role;
  created: string;
  createdBy: string;
  expires: string | null;
  lastUsed: string | null;
  writesPrefix: string | null;
  equipmentIds: string[] | null;
  requestsPerSecond: number | null;
}

export interface NewToken {
  name: string;
  role: Role;
  expires?: string;
  writesPrefix?: string;
  requestsPerSecond?: number;
}

export interface SessionItem {
  id: string;
  created: string;
  seen: string;
  address: string;
  agent: string;
  present: boolean;
}

export interface AuditEntry {
  id: number;
  at: string;
  actor: string;
  by: string;
  address: string;
  action: string;
  target: string;
  before: unknown;
  after: unknown;
}

interface Verified {
  entries: number;
  brokenAt: number | null;
  head: string;
}

const post = (body: unknown) => json("POST", body);
const gone = { method: "DELETE" };
const user = (id: number) => `/users/${String(id)}`;

export const identity = {
  whoAmI: () => call<Me>("/session"),
  signInByToken: (token: string) => call<undefined>("/session", post({ token })),
  signIn: (name: string, password: string, code?: string) =>
    call<undefined>("/session", post({ name, password, ...(code ? { code } : {}) })),
  providers: () => call<{ items: Provider[] }>("/session/openid"),
  beginElsewhere: (name: string, returnTo: string) =>
    call<{ location: string }>(`/session/openid/${name}`, post({ returnTo })),
  /** Answers where to go on to, when the session at a provider ends too. */
  signOut: () => call<{ location: string } | undefined>("/session", gone),
  sessions: () => call<{ items: SessionItem[] }>("/session/all"),
  endSession: (id: string) => call<undefined>(`/session/all/${id}`, gone),
  changePassword: (present: string, fresh: string) =>
    call<undefined>("/session/password", json("PUT", { present, new: fresh })),
  offerFactor: () => call<{ secret: string; svg: string }>("/session/factor", { method: "POST" }),
  setFactor: (secret: string, code: string, password: string) =>
    call<undefined>("/session/factor", json("PUT", { secret, code, password })),
  removeFactor: (password: string) => call<undefined>("/session/factor/remove", post({ password })),
  users: () => call<{ items: User[]; invitations: Invitation[] }>("/users"),
  invite: (role: Role) => call<{ path: string }>("/users/invitations", post({ role })),
  withdraw: (id: string) => call<undefined>(`/users/invitations/${id}`, gone),
  showInvitation: (invitation: string) =>
    call<{ name: string | null; role: Role }>("/users/invitations/show", post({ invitation })),
  accept: (invitation: string, name: string, password: string) =>
    call<undefined>("/users/invitations/accept", post({ invitation, name, password })),
  changeUser: (id: number, changes: { role?: Role; disabled?: boolean }) =>
    call<User>(user(id), json("PATCH", changes)),
  removeUser: (id: number) => call<undefined>(user(id), gone),
  recoverUser: (id: number) => call<{ path: string }>(`${user(id)}/recovery`, { method: "POST" }),
  signOutUser: (id: number) => call<undefined>(`${user(id)}/sessions`, gone),
  tokens: () => call<{ items: Token[] }>("/tokens"),
  makeToken: (token: NewToken) => call<{ token: string }>("/tokens", post(token)),
  rotateToken: (id: number) =>
    call<{ token: string }>(`/tokens/${String(id)}/rotate`, { method: "POST" }),
  revokeToken: (id: number) => call<undefined>(`/tokens/${String(id)}`, gone),
  audit: (q: string, cursor: string | null) =>
    call<{ items: AuditEntry[]; nextCursor: string | null }>(
      `/audit?${new URLSearchParams({ q, limit: "100", ...(cursor ? { cursor } : {}) }).toString()}`,
    ),
  verifyAudit: () => call<Verified>("/audit/verify"),
};
