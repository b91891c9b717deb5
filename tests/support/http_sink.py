#!/usr/bin/python3
"""A loopback HTTP server for tests: records every request, answers what it is told to.

Prints its port as the first line; each request is one JSON line on stdout or in --out:
  connection (number), method, path, headers ([[name, value]…]), body (base64), text (if the body is UTF-8).
Answers come from --script, a JSON array used up one request at a time, then from the flags:
  {"status": 503, "headers": {"Retry-After": "2"}, "body": "…", "delay": 0.5, "close": true}
close: hangs up without an answer; "body_size": that many bytes of "x". POST /__sink/script replaces the script while
it runs; GET /__sink/requests lists what was recorded. It ends when its standard input is closed.
"""
import argparse
import base64
import json
import os
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from recorder import Recorder


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--status", type=int, default=200)
    p.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    p.add_argument("--body", default="{}")
    p.add_argument("--body-size", type=int)
    p.add_argument("--delay", type=float, default=0)
    p.add_argument("--script", default="[]")
    p.add_argument("--cert", help="PEM with certificate and key: serve https")
    p.add_argument("--out", help="file for the JSON lines")
    return p.parse_args()


class Sink:
    def __init__(self, options):
        self.options = options
        self.script = json.loads(options.script)
        self.recorder = Recorder(options.out)
        self.lock = threading.Lock()
        self.requests = []
        self.connections = 0

    def default_answer(self):
        o = self.options
        headers = dict(h.split(": ", 1) for h in o.header)
        answer = {"status": o.status, "headers": headers, "body": o.body, "delay": o.delay}
        if o.body_size is not None:
            answer["body_size"] = o.body_size
        return answer

    def record(self, line):
        with self.lock:
            self.requests.append(line)
            self.recorder.write(line)
            return self.script.pop(0) if self.script else self.default_answer()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True      # head and body are written apart: the second waited 40 ms for an ACK
    sink = None

    def setup(self):
        super().setup()
        with self.sink.lock:
            self.sink.connections += 1
            self.number = self.sink.connections

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer_with(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def control(self, body):
        if self.path == "/__sink/script" and self.command == "POST":
            with self.sink.lock:
                self.sink.script = json.loads(body)
            self.answer_with(204, {}, b"")
        elif self.path == "/__sink/requests":
            with self.sink.lock:
                text = json.dumps(self.sink.requests).encode()
            self.answer_with(200, {"Content-Type": "application/json"}, text)
        else:
            self.answer_with(404, {}, b"")

    def respond(self):
        body = self.read_body()
        if self.path.startswith("/__sink/"):
            self.control(body)
            return
        line = {"connection": self.number, "method": self.command, "path": self.path, "headers": self.headers.items(),
                "body": base64.b64encode(body).decode()}
        try:
            line["text"] = body.decode()
        except UnicodeDecodeError:
            pass
        answer = self.sink.record(line)
        if answer.get("delay"):
            time.sleep(answer["delay"])
        if answer.get("close"):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = b"x" * answer["body_size"] if "body_size" in answer else answer.get("body", "").encode()
        self.answer_with(answer.get("status", 200), answer.get("headers", {}), body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = respond

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass                            # a client that hung up


def main(options):
    Handler.sink = Sink(options)
    server = Server((options.host, options.port), Handler)
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)

    def watch():
        sys.stdin.buffer.read()
        os._exit(0)
    threading.Thread(target=watch, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main(arguments())
