// Somebody else's product: the components of @novu/react as its documentation shows them, and nothing of ours.
import { useEffect, useRef, useState } from "react";
import {
  Bell, Inbox, InboxContent, NovuProvider, Notifications, Preferences, SeverityLevelEnum, Subscription,
  useCounts, useNotifications, useNovu, usePreferences, useSchedule, type NotificationFilter,
} from "@novu/react";
import { Inbox as NextInbox } from "@novu/nextjs";
import { useCounts as useNativeCounts, useNotifications as useNativeNotifications, NovuProvider as NativeProvider } from "@novu/react-native";
import { dark } from "@novu/react/themes";
import type { Options } from "./options";

const tell = (what: string) => void window.told.push(what);

const place = ({ server, connection }: Options) => ({ ...connection, backendUrl: server, socketUrl: server });
const provide = ({ server, connection }: Options) => ({ ...connection, apiUrl: server, socketUrl: server });
const look = (options: Options) => (options.dark ? { baseTheme: dark } : undefined);

function Standard({ options }: { options: Options }) {
  return (
    <Inbox
      {...place(options)}
      {...options.inbox}
      appearance={look(options)}
      routerPush={(path) => tell(`push ${path}`)}
      onNotificationClick={(n) => tell(`click ${n.subject}`)}
      onPrimaryActionClick={(n) => tell(`primary ${n.subject}`)}
      onSecondaryActionClick={(n) => tell(`secondary ${n.subject}`)}
    />
  );
}

/** The parts that a product puts into its own layout. */
function Parts({ options }: { options: Options }) {
  const [page, setPage] = useState<"list" | "preferences" | "both">("list");
  return (
    <Inbox {...place(options)} appearance={look(options)}>
      <nav>
        <Bell renderBell={({ total }) => <output className="total">{total}</output>} />
        {(["list", "preferences", "both"] as const).map((p) => (
          <button key={p} type="button" onClick={() => setPage(p)}>{p}</button>
        ))}
      </nav>
      <section className="panel">
        {page === "list" && <Notifications />}
        {page === "preferences" && <Preferences />}
        {page === "both" && <InboxContent hideNav />}
      </section>
    </Inbox>
  );
}

const filters: NotificationFilter[] = [{ read: false }, { tags: ["orders"], read: false }, { severity: SeverityLevelEnum.HIGH }];

function Hooks() {
  const novu = useNovu();
  const list = useNotifications({ limit: 3 });
  const archive = useNotifications({ archived: true });
  const { counts } = useCounts({ filters });
  const { preferences } = usePreferences();
  const { schedule } = useSchedule();
  return (
    <main>
      <p>
        <output className="counts">{counts?.map((c) => c.count).join(" ") ?? "…"}</output>
        <output className="schedule">{schedule ? String(schedule.isEnabled ?? false) : "…"}</output>
      </p>
      <ul className="list">
        {list.notifications?.map((n) => (
          <li key={n.id} data-read={n.isRead} data-severity={n.severity}>
            {n.subject}
            <button type="button" onClick={() => void (n.isRead ? n.unread() : n.read())}>{n.isRead ? "unread" : "read"}</button>
            <button type="button" onClick={() => void n.archive()}>archive</button>
            <button type="button" onClick={() => void n.delete()}>delete</button>
          </li>
        ))}
      </ul>
      {list.hasMore && <button type="button" onClick={() => void list.fetchMore()}>more</button>}
      <button type="button" onClick={() => void list.readAll()}>read all</button>
      <button type="button" onClick={() => void list.archiveAllRead()}>archive all read</button>
      <ul className="archive">{archive.notifications?.map((n) => <li key={n.id}>{n.subject}</li>)}</ul>
      <ul className="preferences">
        {preferences?.map((p) => (
          <li key={p.workflow?.id ?? "global"} data-email={String(p.channels.email)}>
            {p.workflow?.name ?? "Global"}
            <button type="button" onClick={() => void p.update({ channels: { email: !p.channels.email } })}>e-mail</button>
          </li>
        ))}
      </ul>
      <button type="button" onClick={() => void novu.preferences.schedule.update({ isEnabled: true })}>schedule</button>
    </main>
  );
}

/** @novu/react-native is hooks alone, to be drawn by native views; here React draws them. */
function Native() {
  const { notifications } = useNativeNotifications();
  const { counts } = useNativeCounts({ filters: [{ read: false }] });
  return (
    <main>
      <output className="counts">{counts?.[0].count ?? "…"}</output>
      <ul className="list">{notifications?.map((n) => <li key={n.id}>{n.subject}</li>)}</ul>
    </main>
  );
}

/** No React: what @novu/js draws into an element by itself. It can be imported in a browser alone. */
function Plain({ options }: { options: Options }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void import("@novu/js/ui").then(({ NovuUI }) => {
      const ui = new NovuUI({ options: provide(options), appearance: look(options) });
      ui.mountComponent({ name: "Inbox", props: {}, element: place.current! });
    });
  }, [options]);
  return <div ref={place} />;
}

function Scene({ options }: { options: Options }) {
  switch (options.scene) {
    case "inbox":
      return <Standard options={options} />;
    case "parts":
      return <Parts options={options} />;
    case "next":
      return <NextInbox {...place(options)} appearance={look(options)} />;
    case "plain":
      return <Plain options={options} />;
    case "keyless":
      return <Inbox backendUrl={options.server} socketUrl={options.server} />;
    case "hooks":
      return <NovuProvider {...provide(options)}><Hooks /></NovuProvider>;
    case "native":
      return <NativeProvider {...provide(options)}><Native /></NativeProvider>;
    case "subscription":
      return (
        <NovuProvider {...provide(options)}>
          <Subscription topicKey="none" {...options.subscription} appearance={look(options)} />
        </NovuProvider>
      );
  }
}

export function Product({ options }: { options: Options }) {
  return (
    <div className={options.dark ? "product dark" : "product"}>
      <header>
        <strong>Bell foundry</strong>
        <Scene options={options} />
      </header>
    </div>
  );
}
