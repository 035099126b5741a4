"use client";

import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import { ApiError } from "@/api/client";
import { live } from "@/api/live";
import { ThemeProvider } from "@/components/theme";
import { LanguageProvider } from "@/i18n/language";

function makeClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onSuccess: () => {
        live.heard();
      },
      onError: (error, query) => {
        // The session ended while the page was open: ask who we are, and the form is shown.
        if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== "me")
          void client.invalidateQueries({ queryKey: ["me"] });
      },
    }),
    defaultOptions: {
      queries: {
        // A browser that believes to be offline must still try: a plant has no internet.
        networkMode: "always",
        retry: (failures, error) =>
          failures < 1 && !(error instanceof ApiError && error.status < 500 && error.status > 0),
        placeholderData: (previous: unknown) => previous,
        staleTime: 2_000,
      },
    },
  });
  return client;
}

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(makeClient);
  return (
    <QueryClientProvider client={client}>
      <ThemeProvider>
        <LanguageProvider>{children}</LanguageProvider>
      </ThemeProvider>
    </QueryClientProvider>
  );
}
