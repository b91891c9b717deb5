// The unmodified clients, pointed at a server of a test; and the workflow that most tests trigger.
import { Novu as Api } from "@novu/api";
import { Novu as Browser } from "@novu/js";

export const api = (server, environment = server.dev) =>
  new Api({
    secretKey: environment.secretKey,
    serverURL: server.url,
    // The client's own default repeats a 409 for an hour.
    retryConfig: { strategy: "none" },
  });

export const inbox = (server, subscriber, more = {}) =>
  new Browser({
    applicationIdentifier: server.dev.applicationIdentifier,
    subscriber,
    apiUrl: server.url,
    socketUrl: server.url,
    ...more,
  });

/**
 * The next events of a browser client, in order: await events.next("notifications.notification_received").
 * The socket opens with the first listener; await events.connected before what it must not miss.
 */
export function listen(novu, ...names) {
  const connected = new Promise((resolve, reject) => {
    novu.on("socket.connect.resolved", ({ error }) => (error ? reject(error) : resolve()));
  });
  connected.catch(() => {});
  const queues = new Map(names.map((name) => [name, { events: [], waiters: [] }]));
  for (const [name, queue] of queues) {
    novu.on(name, (event) => {
      const waiter = queue.waiters.shift();
      if (waiter) waiter(event);
      else queue.events.push(event);
    });
  }
  return {
    connected,
    next(name, ms = 10000) {
      const queue = queues.get(name);
      if (queue.events.length) return Promise.resolve(queue.events.shift());
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${name} within ${ms} ms`)), ms);
        queue.waiters.push((event) => {
          clearTimeout(timer);
          resolve(event);
        });
      });
    },
    /** The next one that is as said; those before it are passed over. */
    async until(name, is) {
      for (;;) {
        const event = await this.next(name);
        if (is(event)) return event;
      }
    },
    count: (name) => queues.get(name).events.length,
  };
}

export const orderShipped = {
  name: "Order shipped",
  workflowId: "order-shipped",
  active: true,
  tags: ["orders"],
  steps: [
    {
      name: "Bell",
      type: "in_app",
      controlValues: {
        subject: "Order {{payload.number}} shipped",
        body: "Hi {{subscriber.firstName | upcase}}, {% if payload.express %}it arrives tomorrow{% else %}be patient{% endif %}.",
        primaryAction: { label: "Track", redirect: { url: "https://shop.example/{{payload.number}}", target: "_blank" } },
        data: { number: "{{payload.number}}" },
      },
    },
    {
      name: "Mail",
      type: "email",
      controlValues: {
        subject: "Your order {{payload.number}}, {{subscriber.firstName}}",
        body: "<p>Dear {{subscriber.firstName}} {{subscriber.lastName}},</p><ul>{% for item in payload.items %}<li>{{item}}</li>{% endfor %}</ul>",
        editorType: "html",
      },
    },
  ],
};

export const ada = { subscriberId: "ada", firstName: "Ada", lastName: "Lovelace", email: "ada@example.com" };
export const order = { number: "A-17", express: true, items: ["bell", "rope"] };
