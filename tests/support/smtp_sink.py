#!/usr/bin/python3
"""A loopback SMTP server for tests: takes mail, or fails the way it is told to.

Prints its port as the first line; each message it accepts is one JSON line on stdout or in --out:
  session (number of the connection), tls, auth (user or null), mail_from, mail_options, rcpt_tos, ehlo,
  raw (the bytes as base64), parsed (see parse below).
With --close after, {"closed": session} follows when the connection is gone.
With --script it is no mail server but plays one part, for what no honest server says: a JSON array of pairs. "" stands for
the beginning, "." for the end of a message, else it is the verb that is waited for; then these bytes are sent (null:
nothing more is ever said; "": hang up). When the other side is gone, or after a hang-up, {"heard": [its lines]} is one line.
It ends when its standard input is closed, so that it never outlives the test.
Needs Debian's python3-aiosmtpd; run with /usr/bin/python3.
"""
import argparse
import asyncio
import base64
import email
import email.policy
import functools
import hashlib
import hmac
import json
import logging
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, syntax

from recorder import Recorder


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    p.add_argument("--require-tls", action="store_true", help="refuse MAIL before STARTTLS")
    p.add_argument("--cert", help="PEM certificate; made with openssl when absent")
    p.add_argument("--key")
    p.add_argument("--auth", help="user:password; required before MAIL")
    p.add_argument("--auth-mechanisms", default="PLAIN,LOGIN", help="of PLAIN, LOGIN, CRAM-MD5")
    p.add_argument("--no-smtputf8", action="store_true")
    p.add_argument("--reply-auth", help='answer to a right password, e.g. "454 4.7.0 try later"')
    p.add_argument("--reply-connect", help="greeting of a server that does not want to talk")
    p.add_argument("--reply-mail", help="answer to MAIL FROM")
    p.add_argument("--reply-rcpt", action="append", default=[], metavar="[ADDRESS=]REPLY",
                   help='answer to RCPT TO, of all or of one address: "a@b.c=550 5.1.1 unknown"')
    p.add_argument("--reply-data", help="answer after the message")
    p.add_argument("--fail-first", type=int, default=0, metavar="N",
                   help="the reply options hold for the first N messages only")
    p.add_argument("--hang", choices=["connect", "ehlo", "rcpt", "data", "quit"], help="never answer there")
    p.add_argument("--close", choices=["connect", "rcpt", "data", "after"],
                   help="close there; data: in the middle of the message; after: when a message was taken")
    p.add_argument("--goodbye", action="store_true", help="with --close after: say 421 before closing")
    p.add_argument("--script", help="a dialogue to play, see above")
    p.add_argument("--delay", type=float, default=0, help="seconds before the answer to the message")
    p.add_argument("--dkim-public-key", help="PEM file; adds dkim: pass|fail|none to each line")
    p.add_argument("--out", help="file for the JSON lines")
    return p.parse_args()


def make_certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


def parse_part(part):
    content = part.get_payload(decode=True) or b""
    out = {
        "type": part.get_content_type(),
        "charset": part.get_content_charset(),
        "encoding": part.get("Content-Transfer-Encoding"),
        "disposition": part.get_content_disposition(),
        "filename": part.get_filename(),
        "cid": part.get("Content-ID"),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if part.get_content_maintype() == "text":
        out["text"] = content.decode(part.get_content_charset() or "utf-8", "replace")
    return out


def structure(part):
    """multipart/mixed(multipart/alternative(text/plain,text/html),image/png)"""
    if not part.is_multipart():
        return part.get_content_type()
    return part.get_content_type() + "(" + ",".join(structure(p) for p in part.get_payload()) + ")"


def addresses(message, name):
    return [{"name": a.display_name, "email": a.addr_spec}
            for header in message.get_all(name, []) for a in getattr(header, "addresses", [])]


def parse(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    lines = raw.split(b"\r\n")
    return {
        "subject": message["Subject"],
        "from": addresses(message, "From"),
        "to": addresses(message, "To"),
        "cc": addresses(message, "Cc"),
        "reply_to": addresses(message, "Reply-To"),
        "headers": [[k, str(v)] for k, v in message.items()],
        "structure": structure(message),
        "parts": [parse_part(p) for p in message.walk() if not p.is_multipart()],
        "defects": [repr(d) for p in message.walk() for d in p.defects],
        "longest_line": max(len(line) for line in lines),
        "bare_newlines": raw.count(b"\n") - raw.count(b"\r\n") + raw.count(b"\r") - raw.count(b"\r\n"),
    }


def dkim_relaxed(field):
    name, value = field.split(b":", 1)
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()
    return name.lower().strip() + b":" + value


def dkim_check(raw, public_key):
    """RFC 6376 for one rsa-sha256 relaxed/relaxed signature, written apart from the signer."""
    head, body = raw.split(b"\r\n\r\n", 1)
    fields = re.split(rb"\r\n(?![ \t])", head)
    mine = [f for f in fields if f.lower().startswith(b"dkim-signature:")]
    if not mine:
        return "none"
    tags = dict(t.strip().split(b"=", 1) for t in mine[0].split(b":", 1)[1].split(b";") if t.strip())
    tags = {k.strip(): re.sub(rb"\s", b"", v) for k, v in tags.items()}
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and lines[-1] == b"":
        lines.pop()
    canonical = b"".join(line + b"\r\n" for line in lines)
    if base64.b64encode(hashlib.sha256(canonical).digest()) != tags[b"bh"]:
        return "fail: body hash"
    rest, signed = list(fields), b""
    for name in tags[b"h"].split(b":"):
        for i in range(len(rest) - 1, -1, -1):
            if rest[i].split(b":", 1)[0].strip().lower() == name.lower():
                signed += dkim_relaxed(rest.pop(i)) + b"\r\n"
                break
    signed += re.sub(rb"(;\s*b=)[^;]*", rb"\1", dkim_relaxed(mine[0]))
    with tempfile.NamedTemporaryFile() as signature, tempfile.NamedTemporaryFile() as text:
        signature.write(base64.b64decode(tags[b"b"]))
        text.write(signed)
        signature.flush()
        text.flush()
        ok = subprocess.run(["openssl", "dgst", "-sha256", "-verify", public_key, "-signature", signature.name, text.name],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    return "pass" if ok else "fail: signature"


def as_text(value):
    """The email package hands out raw UTF-8 bytes of headers (RFC 6532) as lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, list):
        return [as_text(v) for v in value]
    return {k: as_text(v) for k, v in value.items()} if isinstance(value, dict) else value


class Sink:
    def __init__(self, options):
        self.options = options
        self.recorder = Recorder(options.out)
        self.sessions = 0
        self.messages = 0
        self.user, _, self.password = (options.auth or ":").partition(":")

    def misbehaves(self):
        return not self.options.fail_first or self.messages < self.options.fail_first

    def authenticate(self, server, session, envelope, mechanism, data):
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        right = hmac.compare_digest(data.login, self.user.encode()) and hmac.compare_digest(data.password, self.password.encode())
        if right:
            session.user = data.login.decode()
        return AuthResult(success=right, handled=False)

    async def auth_CRAM__MD5(self, server, args):
        challenge = b"<1.2@sink>"
        answer = await server.challenge_auth(challenge)
        user, _, digest = bytes(answer).rpartition(b" ")
        want = hmac.new(self.password.encode(), challenge, hashlib.md5).hexdigest().encode()
        right = user == self.user.encode() and hmac.compare_digest(digest, want)
        if right:
            server.session.user = user.decode()
        return AuthResult(success=right, handled=False)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        if self.options.hang == "ehlo":
            await asyncio.Event().wait()
        return responses

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if self.options.require_tls and server.transport.get_extra_info("ssl_object") is None:
            return "530 5.7.0 Must issue a STARTTLS command first"
        if self.options.reply_mail and self.misbehaves():
            self.messages += 1
            return self.options.reply_mail
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if self.options.hang == "rcpt":
            await asyncio.Event().wait()
        if self.options.close == "rcpt":
            server.transport.abort()
            return "421 closing"
        for rule in self.options.reply_rcpt:
            who, _, reply = rule.rpartition("=") if re.match(r"[^ ]+@[^ ]+=", rule) else ("", "", rule)
            if who in ("", address) and self.misbehaves():
                self.messages += not who
                return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.options.hang == "data":
            await asyncio.Event().wait()
        if self.options.delay:
            await asyncio.sleep(self.options.delay)
        self.messages += 1
        if self.options.reply_data and (not self.options.fail_first or self.messages <= self.options.fail_first):
            return self.options.reply_data
        raw = envelope.original_content
        line = {
            "session": server.number, "tls": server.transport.get_extra_info("ssl_object") is not None, "auth": getattr(session, "user", None),
            "ehlo": session.host_name, "mail_from": envelope.mail_from, "mail_options": envelope.mail_options,
            "rcpt_tos": envelope.rcpt_tos, "raw": base64.b64encode(raw).decode(), "parsed": parse(raw),
        }
        if self.options.dkim_public_key:
            line["dkim"] = dkim_check(raw, self.options.dkim_public_key)
        self.recorder.write(as_text(line))
        return "250 2.0.0 queued as %d" % self.messages


class Server(SMTP):
    """aiosmtpd with the failures that no handler can make."""

    sink = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sink.sessions += 1
        self.number = self.sink.sessions

    def connection_lost(self, error):
        super().connection_lost(error)
        if self.sink.options.close == "after":      # the socket itself is closed right after this method
            self.loop.call_soon(self.sink.recorder.write, {"closed": self.number})

    async def smtp_AUTH(self, arg):
        if self.sink.options.reply_auth:
            await self.push(self.sink.options.reply_auth)
        else:
            await super().smtp_AUTH(arg)

    @syntax("DATA")
    async def smtp_DATA(self, arg):
        if self.sink.options.close != "data":
            await super().smtp_DATA(arg)
            if self.sink.options.close == "after":
                if self.sink.options.goodbye:
                    await self.push("421 4.4.2 idle for too long")
                self.transport.close()
            return
        await self.push("354 go on, I will not listen")
        await self._reader.readline()
        self.transport.abort()

    async def smtp_QUIT(self, arg):
        if self.sink.options.hang == "quit":
            await asyncio.Event().wait()
        await super().smtp_QUIT(arg)


def tls_context(options, folder):
    if options.tls == "none":
        return None
    if not options.cert:
        options.cert, options.key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key or options.cert)
    return context


def protocol_factory(options, context, sink):
    mechanisms = options.auth_mechanisms.split(",")
    Server.sink = sink

    def make():
        return Server(
            sink, hostname="sink.test", enable_SMTPUTF8=not options.no_smtputf8, timeout=600, data_size_limit=64 << 20,
            tls_context=context if options.tls == "starttls" else None,
            authenticator=sink.authenticate if options.auth else None, auth_required=bool(options.auth),
            auth_require_tls=False, auth_exclude_mechanism=[m for m in ("PLAIN", "LOGIN", "CRAM-MD5") if m not in mechanisms])
    return make


async def mute(reader, writer):
    await asyncio.Event().wait()


async def turn_away(options, reader, writer):
    writer.write(options.reply_connect.encode() + b"\r\n")
    await writer.drain()
    await reader.read()


async def next_line(reader, heard, until):
    """Of a message all of it; a message's end is the line that is waited for with "."."""
    while line := await reader.readline():
        heard.append(line.decode("utf-8", "replace").rstrip("\r\n"))
        if until != "." or line == b".\r\n":
            return line
    return None


async def play(script, recorder, reader, writer):
    heard = []
    for verb, answer in script:
        while verb:
            line = await next_line(reader, heard, verb)
            if line is None:
                break
            if verb == "." or line.upper().startswith(verb.encode()):
                break
        if verb and line is None:
            break
        if answer == "":
            break
        if answer is not None:
            writer.write(answer.encode())
            await writer.drain()
    else:
        while await next_line(reader, heard, ""):
            pass
    writer.close()
    recorder.write({"heard": heard})


async def slam(reader, writer):
    writer.transport.abort()


async def main(options, folder):
    loop = asyncio.get_running_loop()
    context = tls_context(options, folder)
    implicit = context if options.tls == "implicit" else None
    if options.hang == "connect":
        server = await asyncio.start_server(mute, options.host, options.port)
    elif options.reply_connect:
        server = await asyncio.start_server(functools.partial(turn_away, options), options.host, options.port)
    elif options.script:
        part = functools.partial(play, json.loads(options.script), Recorder(options.out))
        server = await asyncio.start_server(part, options.host, options.port)
    elif options.close == "connect":
        server = await asyncio.start_server(slam, options.host, options.port)
    else:
        server = await loop.create_server(protocol_factory(options, context, Sink(options)), options.host, options.port,
                                          ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)

    def watch():
        sys.stdin.buffer.read()
        os._exit(0)
    threading.Thread(target=watch, daemon=True).start()
    await server.serve_forever()


if __name__ == "__main__":
    opts = arguments()
    logging.disable(logging.CRITICAL)   # what clients do wrong is for the tests to say
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(opts, scratch))
