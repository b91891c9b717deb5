// What the page asks of the server: three calls below /demo. The secret key never comes here.

export type Config = {
  applicationIdentifier: string;
  subscriberId: string;
  workflowId: string;
  curl?: string;
};

export type Mail = {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  at: string;
};

async function call(path: string, init?: RequestInit): Promise<any> {
  const response = await fetch(path, { ...init, cache: "no-store" });
  const body = await response.json().catch(() => undefined);
  if (!response.ok) throw new Error(body?.message ?? `${path} answered ${response.status}`);
  return body && typeof body === "object" && "data" in body ? body.data : body;
}

export const loadConfig = (): Promise<Config> => call("/demo/config.json");

export async function trigger(event: { subject: string; message: string; email: boolean }): Promise<string> {
  const result = await call("/demo/trigger", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(event),
  });
  return result.transactionId;
}

// The outbox names its members as the REST API does; this is the part that the page shows.
export async function loadOutbox(): Promise<Mail[]> {
  const items = await call("/demo/outbox");
  return (Array.isArray(items) ? items : [])
    .filter((m) => (m.channel ?? "email") === "email")
    .map((m) => ({
      id: m.id ?? m._id,
      to: address(m.to),
      subject: m.subject ?? "",
      text: m.text ?? "",
      html: m.html ?? "",
      at: m.createdAt ?? "",
    }));
}

function address(to: unknown): string {
  if (Array.isArray(to)) return to.map(address).join(", ");
  if (to && typeof to === "object") return String((to as any).email ?? (to as any).address ?? "");
  return String(to ?? "");
}
