// The newcomer's first minute: a real Inbox, a form that triggers a workflow, and the e-mail that it sent.
import { useCallback, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { Inbox, NovuProvider, useNovu } from "@novu/react";
import { dark } from "@novu/react/themes";
import { Config, Mail, loadConfig, loadOutbox, trigger } from "./server";
import "./style.css";
import bell from "./bell.svg";

function useDark(): boolean {
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  const [is, set] = useState(query.matches);
  useEffect(() => {
    const changed = () => set(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return is;
}

const accent = { light: "#b4530a", dark: "#f0a35e" };

// The Inbox's own bell has a dot; a number tells a newcomer more.
function renderBell({ total }: { total: number }) {
  return (
    <span className="bell" aria-label={`${total} unread`}>
      <svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="1.9" aria-hidden="true">
        <path d="M6 9.5a6 6 0 0 1 12 0c0 5 2 6.5 2 6.5H4s2-1.5 2-6.5Z" strokeLinejoin="round" />
        <path d="M10 19.5a2.2 2.2 0 0 0 4 0" strokeLinecap="round" />
      </svg>
      {total > 0 && <span className="count">{total > 99 ? "99+" : total}</span>}
    </span>
  );
}

function Header() {
  const isDark = useDark();
  return (
    <header>
      <a className="brand" href="/demo/">
        <img src={bell} alt="" width="28" height="28" />
        Carillon
      </a>
      <nav>
        <span className="hint">Your Inbox</span>
        <Inbox
          key={String(isDark)}
          placement="bottom-end"
          renderBell={renderBell}
          appearance={{
            ...(isDark ? { baseTheme: dark } : {}),
            variables: {
              colorPrimary: isDark ? accent.dark : accent.light,
              colorPrimaryForeground: isDark ? "#1b1613" : "#ffffff",
              colorCounter: isDark ? accent.dark : accent.light,
              colorCounterForeground: isDark ? "#1b1613" : "#ffffff",
              ...(isDark ? { colorBackground: "#221d1a", colorForeground: "#f2ece6" } : {}),
            },
          }}
        />
      </nav>
    </header>
  );
}

type Sent = { transactionId: string; started: number; arrived?: number };

function Form({ onSent }: { onSent: () => void }) {
  const novu = useNovu();
  const [subject, setSubject] = useState("Your order is on its way");
  const [message, setMessage] = useState("It left our workshop this morning and should ring your bell tomorrow.");
  const [email, setEmail] = useState(true);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [sent, setSent] = useState<Sent>();
  // The socket may be quicker than the answer of the trigger: remember when each transaction arrived.
  const arrivals = useRef(new Map<string, number>());

  useEffect(
    () =>
      novu.on("notifications.notification_received", ({ result }) => {
        const now = performance.now();
        arrivals.current.set(result.transactionId, now);
        setSent((s) => (s?.transactionId === result.transactionId ? { ...s, arrived: now } : s));
      }),
    [novu],
  );

  async function submit(event: React.FormEvent) {
    event.preventDefault();
    setBusy(true);
    setError("");
    const started = performance.now();
    try {
      const transactionId = await trigger({ subject, message, email });
      setSent({ transactionId, started, arrived: arrivals.current.get(transactionId) });
      onSent();
    } catch (e) {
      setError((e as Error).message);
    } finally {
      setBusy(false);
    }
  }

  const ms = (to: number) => `${Math.max(1, Math.round(to - sent!.started))} ms`;
  return (
    <section className="card">
      <h2>Trigger a notification</h2>
      <p className="lead">One call to the workflow; it rings the bell above and writes an e-mail.</p>
      <form onSubmit={submit}>
        <label>
          Subject
          <input name="subject" value={subject} maxLength={120} required onChange={(e) => setSubject(e.target.value)} />
        </label>
        <label>
          Message
          <textarea name="message" rows={3} value={message} maxLength={1000} required onChange={(e) => setMessage(e.target.value)} />
        </label>
        <div className="row">
          <label className="check">
            <input type="checkbox" name="email" checked={email} onChange={(e) => setEmail(e.target.checked)} />
            Also by e-mail
          </label>
          <button type="submit" disabled={busy}>
            {busy ? "Sending…" : "Ring the bell"}
          </button>
        </div>
      </form>
      <p className="status" role="status" aria-live="polite">
        {error && <span className="error">{error}</span>}
        {!error && sent && (
          <>
            <span className="done">Accepted, and on disk</span>
            {sent.arrived ? <span className="done">In your Inbox after {ms(sent.arrived)}</span> : <span>Waiting for the socket…</span>}
          </>
        )}
      </p>
    </section>
  );
}

// What a mail program does for a mail without a style of its own.
const mailStyle = "<style>:root { font: 15px/1.5 system-ui, sans-serif; color: #222 } body { margin: 18px } h1 { font-size: 1.4em }</style>";

function Outbox({ mails, error }: { mails?: Mail[]; error: string }) {
  const [open, setOpen] = useState<string>();
  const shown = mails?.find((m) => m.id === open) ?? mails?.[0];
  return (
    <section className="card outbox">
      <h2>
        E-mail outbox <span className="live">live</span>
      </h2>
      <p className="lead">Without an e-mail provider, Development keeps its mail here.</p>
      {error && <p className="error">{error}</p>}
      {mails?.length === 0 && <p className="empty">Nothing yet. Ring the bell.</p>}
      {shown && (
        <>
          <ul>
            {mails!.slice(0, 5).map((m) => (
              <li key={m.id}>
                <button type="button" className={m.id === shown.id ? "mail on" : "mail"} onClick={() => setOpen(m.id)}>
                  <span className="subject">{m.subject}</span>
                  <span className="to">{m.to}</span>
                  <time dateTime={m.at}>{m.at && new Date(m.at).toLocaleTimeString()}</time>
                </button>
              </li>
            ))}
          </ul>
          {shown.html ? (
            <iframe title={`E-mail: ${shown.subject}`} sandbox="" srcDoc={mailStyle + shown.html} />
          ) : (
            <pre className="text">{shown.text}</pre>
          )}
        </>
      )}
    </section>
  );
}

function Curl({ line }: { line: string }) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(line);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  }
  return (
    <section className="card wide">
      <h2>The same from your terminal</h2>
      <p className="lead">
        Every Novu client works too: give it this server's URL.
      </p>
      <div className="curl">
        <pre>{line}</pre>
        <button type="button" onClick={copy}>
          {copied ? "Copied" : "Copy"}
        </button>
      </div>
    </section>
  );
}

function Page({ config }: { config: Config }) {
  const [mails, setMails] = useState<Mail[]>();
  const [error, setError] = useState("");
  const load = useCallback(async () => {
    try {
      setMails(await loadOutbox());
      setError("");
    } catch (e) {
      setError((e as Error).message);
    }
  }, []);
  useEffect(() => {
    void load();
    const timer = setInterval(() => document.hidden || void load(), 2000);
    return () => clearInterval(timer);
  }, [load]);
  return (
    <NovuProvider
      applicationIdentifier={config.applicationIdentifier}
      subscriber={config.subscriberId}
      apiUrl={location.origin}
      socketUrl={location.origin}
    >
      <Header />
      <main>
        <div className="title">
          <h1>One trigger, every bell.</h1>
          <p>
            This page is the real <code>&lt;Inbox/&gt;</code> of <code>@novu/react</code>, talking to your own server. You are
            subscriber <code>{config.subscriberId}</code>.
          </p>
        </div>
        <Form onSent={() => void load()} />
        <Outbox mails={mails} error={error} />
        {config.curl && <Curl line={config.curl} />}
      </main>
    </NovuProvider>
  );
}

function App() {
  const [config, setConfig] = useState<Config>();
  const [error, setError] = useState("");
  useEffect(() => {
    loadConfig().then(setConfig, (e) => setError(e.message));
  }, []);
  if (error) return <p className="fatal">The demo could not start: {error}</p>;
  return config ? <Page config={config} /> : null;
}

createRoot(document.getElementById("root")!).render(<App />);
