// A certified OpenID provider for the tests: any name signs in with any password.
// node provider.mjs CONFIG.json, where CONFIG = { port, client, keys, accounts: { name: claims } }
import { readFileSync } from "node:fs";

import Provider from "oidc-provider";

const { port, client, keys, accounts } = JSON.parse(readFileSync(process.argv[2], "utf8"));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  jwks: { keys },
  cookies: { keys: ["only for tests"] },
  scopes: ["openid", "profile", "email", "offline_access"],
  claims: { openid: ["sub"], profile: ["preferred_username", "roles"], email: ["email"] },
  findAccount: (_, name) => ({
    accountId: name,
    claims: () => ({ sub: name, preferred_username: name, ...accounts[name] }),
  }),
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  pkce: { required: () => true },
});
provider.listen(port, "127.0.0.1");
