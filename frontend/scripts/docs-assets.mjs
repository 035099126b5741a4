// The API's documentation page works without a network: its files are served by ourselves.
import { copyFileSync, mkdirSync } from "node:fs";

const from = new URL("../node_modules/swagger-ui-dist/", import.meta.url);
const to = new URL("../public/docs-assets/", import.meta.url);
mkdirSync(to, { recursive: true });
for (const name of ["swagger-ui.css", "swagger-ui-bundle.js"]) {
  copyFileSync(new URL(name, from), new URL(name, to));
}
