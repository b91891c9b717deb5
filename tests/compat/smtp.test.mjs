// E-mail through a real SMTP server: STARTTLS, implicit TLS, authentication, refusals.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Carillon, until } from "./carillon.mjs";
import { ada, api, order, orderShipped } from "./clients.mjs";

const script = fileURLToPath(new URL("../support/smtp_sink.py", import.meta.url));
