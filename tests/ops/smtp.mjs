// A mail server of a few lines: takes mail, hangs, or refuses; as `mode` says at that moment.
import { once } from "node:events";
import { createServer } from "node:net";

/** {port, mails, sessions, mode, stop}: mode "take", "hang" (after the greeting) or "refuse" (repeats what AUTH sent). */
export async function startSmtp(mode = "take") {
  const sink = { mails: [], sessions: 0, mode };
  const open = new Set();
  const server = createServer((socket) => {
    let [buffer, data] = ["", null];
    open.add(socket);
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    sink.sessions++;
    const say = (line) => socket.write(`${line}\r\n`);
    say("220 test");
    const answer = (line) => {
      const verb = line.slice(0, 4).toUpperCase();
      if (sink.mode === "hang") return;
      if (data !== null) {
        if (line !== ".") return void data.push(line);
        sink.mails.push(data.join("\n"));
        data = null;
        return say("250 taken");
      }
      if (verb === "EHLO") return socket.write("250-test\r\n250 AUTH PLAIN\r\n");
      if (verb === "AUTH") {
        const words = Buffer.from(line.split(" ")[2] ?? "", "base64").toString().split("\0");
        return say(sink.mode === "refuse" ? `535 5.7.8 not with ${words.join(" ")}` : "235 welcome");
      }
      if (verb === "DATA") {
        data = [];
        return say("354 go on");
      }
      say(verb === "QUIT" ? "221 bye" : "250 ok");
    };
    socket.on("data", (chunk) => {
      buffer += chunk;
      for (let end; (end = buffer.indexOf("\r\n")) >= 0; buffer = buffer.slice(end + 2)) answer(buffer.slice(0, end));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  sink.port = server.address().port;
  sink.stop = () => {
    open.forEach((socket) => socket.destroy());
    server.close();
  };
  return sink;
}

export const relay = (sink, credentials = {}) => ({
  providerId: "nodemailer", channel: "email", name: "Relay", active: true, check: false,
  credentials: { host: "127.0.0.1", port: String(sink.port), from: "shop@example.com", senderName: "Shop", secure: false, ignoreTls: true, ...credentials },
});
