import { readdirSync } from "node:fs";

import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = readdirSync(new URL("./src/features", import.meta.url));

export default tseslint.config(
  { ignores: [".next", "out", "public/docs-assets", "next-env.d.ts", "src/api/schema.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ["src/**/*.{ts,tsx}"],
    plugins: { "react-hooks": reactHooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
    },
  },
  // A feature knows the shared folders, never another feature: the pages put them together.
  ...features.map((feature) => ({
    files: [`src/features/${feature}/**`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: features
            .filter((other) => other !== feature)
            .flatMap((other) => [`@/features/${other}/*`, `../${other}/*`]),
        },
      ],
    },
  })),
  { files: ["scripts/**", "*.mjs"], languageOptions: { globals: { URL: "readonly" } } },
);
