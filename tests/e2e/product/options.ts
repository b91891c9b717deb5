// What a test asks of the page, in its query: one scene, and who looks at it.
import type { InboxProps, NovuProviderProps, SubscriptionProps } from "@novu/react";

/** What the constructor of Novu and every component take alike. */
export type Connection = {
  applicationIdentifier: string;
  subscriber: NonNullable<NovuProviderProps["subscriber"]>;
  context?: NovuProviderProps["context"];
  subscriberHash?: string;
  contextHash?: string;
  defaultSchedule?: NovuProviderProps["defaultSchedule"];
};

export type Options = {
  scene: "inbox" | "parts" | "hooks" | "native" | "next" | "plain" | "keyless" | "subscription";
  server: string;
  connection: Connection;
  dark?: boolean;
  /** Rendered on the server first, then hydrated. */
  ssr?: boolean;
  /** Members of the component that a test cares for. */
  inbox?: Pick<InboxProps, "tabs" | "preferencesFilter" | "preferenceGroups" | "localization">;
  subscription?: Pick<SubscriptionProps, "topicKey" | "identifier" | "preferences">;
};

declare global {
  interface Window {
    /** What the components told the product, in order. */
    told: string[];
  }
}
