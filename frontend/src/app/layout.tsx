import "@fontsource-variable/inter";
import "@/styles/tokens.css";
import "@/styles/base.css";
import "@/styles/controls.css";
import "@/styles/shell.css";
import "@/styles/overview.css";
import "@/styles/sensor.css";
import "@/styles/work.css";

import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";

import { EARLY_SCRIPT } from "@/api/early";
import { Providers } from "@/components/providers";
import { Shell } from "@/components/shell";
import { THEME_SCRIPT } from "@/components/theme-script";

export const metadata: Metadata = { title: "PipeWatcher" };
export const viewport: Viewport = { width: "device-width", initialScale: 1 };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
        <script dangerouslySetInnerHTML={{ __html: EARLY_SCRIPT }} />
      </head>
      <body>
        <Providers>
          <Shell>{children}</Shell>
        </Providers>
      </body>
    </html>
  );
}
