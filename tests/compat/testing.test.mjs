// `carillon test` as a build uses it, and the examples: ten workflows that a server takes as they are.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Carillon, program, until } from "./carillon.mjs";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "carillon-testing-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const workflow = {
  workflowId: "hello", name: "Hello",
  steps: [
    { name: "Wait", type: "delay", controlValues: { type: "regular", amount: 1, unit: "days" } },
    { name: "Bell", type: "in_app", controlValues: { body: "Hi {{payload.name}}", skip: { "==": [{ var: "payload.loud" }, true] } } },
  ],
};

function file(name, content) {
  mkdirSync(join(dir, name, ".."), { recursive: true });
  writeFileSync(join(dir, name), typeof content === "string" ? content : JSON.stringify(content, null, 1));
  return join(dir, name);
}

function run(...args) {
  const { status, stdout, stderr } = spawnSync(program, ["test", ...args], { encoding: "utf8", env: { ...process.env, CARILLON_DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" } });
  return { status, stdout, stderr };
}

const one = (then, given = {}) => ({
  name: "one", given: { clock: "2026-03-02T09:00:00Z", workflows: [workflow], subscribers: [{ subscriberId: "ana" }], ...given },
  when: [{ trigger: { name: "hello", to: "ana", payload: { name: "Ana", loud: true } } }], then,
});

test("passes, quietly, and whatever the environment says", () => {
  const path = file("good.test.json", one([{ at: "1d", message: { to: "ana", content: "Hi Ana", at: "2026-03-03T09:00:00Z" }, count: 1 }]));
  const { status, stdout, stderr } = run(path);
  assert.equal(status, 0, stdout + stderr);
  assert.equal(stderr, "");
  assert.match(stdout, /^ok +.*good\.test\.json: one \(\d+ ms\)\n\n1 passed, 0 failed; 1 days went by in \d+ ms\n$/);
});

test("fails with the place, what is there instead, why, and what happened", () => {
  const path = file("bad.test.yaml", `name: bad
given:
  clock: 2026-03-02T09:00:00Z
  workflows: [hello.json]
  subscribers: [{subscriberId: ana}]
when:
  - trigger: {name: hello, to: ana, payload: {name: Ana, loud: false}}
then:
  - at: 1h
    message: {to: ana, channel: in_app}
  - at: 2d
    message: {to: ana, channel: in_app, content: Hi Ana}
  - at: 2d
    step: {step: bell, decision: skipped, rule: preference}
`);
  file("hello.json", workflow);
  const { status, stdout } = run(path);
  assert.equal(status, 1);
  assert.match(stdout, /bad\.test\.yaml:9\n/);
  assert.match(stdout, /hello\/bell \(in_app\) for ana: pending/);
  assert.match(stdout, /bad\.test\.yaml:11\n +expected:\n +at least 1 message at 2026-03-04T09:00:00\.000Z: \{"to":"ana","channel":"in_app","content":"Hi Ana"\}/);
  assert.match(stdout, /hello\/bell \(in_app\) for ana: skipped by condition/);
  assert.match(stdout, /condition: \{"==":\[\{"var":"payload\.loud"\},true\]\}\n +saw: \{"payload\.loud":false\}/);
  assert.match(stdout, /bad\.test\.yaml:13\n[^]*the nearest differs in 'rule' \(line 14\): it is "condition"/);
  assert.match(stdout, /what happened:\n +2026-03-02 09:00:00\.000 {2}> trigger \{"name":"hello"/);
  assert.match(stdout, /2026-03-03 09:00:00\.000 {4}hello\/wait ana: Delay is finished/);
  assert.match(stdout, /0 passed, 1 failed/);
});

test("what is not understood has a place, and does not look well in a report", () => {
  const path = file("odd.test.yaml", "name: odd\ngiven:\n  subscriber: []\nwhen: []\nthen: [{message: {to: ana}}]\n");
  const report = join(dir, "junit.xml");
  const { status, stdout } = run("--tap", "--junit", report, path, file("good.test.json", one([{ at: "1d", message: {} }])));
  assert.equal(status, 2);
  assert.match(stdout, /^TAP version 14\nnot ok 1 - the file can be read\n {2}---\n/);
  assert.match(stdout, /odd\.test\.yaml:3:3: given has no 'subscriber'; there are: clock, /);
  assert.match(stdout, /\nok 2 - one\n[^]*\n1\.\.2\n# pass 1\n# fail 1\n$/);
  const xml = readFileSync(report, "utf8");
  assert.match(xml, /<testsuites tests="2" failures="1">/);
  assert.match(xml, /<testcase name="one" classname="[^"]*good\.test\.json" file="[^"]*" line="1" time="[\d.]+">\n +<\/testcase>/);
  assert.match(xml, /given has no 'subscriber'/);
});

test("what the API refuses fails with its words", () => {
  const path = file("refused.test.json", one([{ message: {} }], { workflows: [{ ...workflow, steps: [{ name: "X", type: "pigeon" }] }] }));
  const { status, stdout } = run(path);
  assert.equal(status, 1);
  assert.match(stdout, /POST \/v2\/workflows to be taken/);
  assert.match(stdout, /422 \{/);
});

test("a workflow's file that cannot be read, and a count that cannot be, are no failures of what is tested", () => {
  const missing = run(file("missing.test.json", one([{ message: {} }], { workflows: ["nowhere.json"] })));
  assert.match(missing.stdout, /a workflow in .*nowhere\.json/);
  assert.equal(missing.status, 2);
  writeFileSync(join(dir, "broken.json"), "{");
  assert.equal(run(file("broken.test.json", one([{ message: {} }], { workflows: ["broken.json"] }))).status, 2);
  const never = run(file("never.test.json", one([{ message: {}, count: { atLeast: 5, atMost: 2 } }])));
  assert.match(never.stdout, /never\.test\.json:\d+:\d+: count can never be: atLeast is 5, atMost 2/);
  assert.equal(never.status, 2);
});

test("what is amiss in a workflow is told beside the failure", () => {
  const steps = [{ name: "X", type: "in_app", controlValues: { body: "{{subscriber.nickname}}" } }];
  const { status, stdout } = run(file("amiss.test.json", one([{ message: { content: "Nick" } }], { workflows: [{ ...workflow, steps }] })));
  assert.equal(status, 1);
  assert.match(stdout, /what happened:\n +The workflow hello has an issue in step x, body: .*subscriber\.nickname.* is not supported/);
});

test("used wrongly, it says how it is used", () => {
  for (const [args, says] of [[[], /Usage: carillon test/], [["--loud"], /Unknown option '--loud'/], [["--junit"], /--junit needs a value/],
    [["--only", "zebra", file("good.test.json", one([{ at: "1d", message: {} }]))], /No test is called like 'zebra'/]]) {
    const { status, stderr } = run(...args);
    assert.equal(status, 2);
    assert.match(stderr, says);
  }
  const { status, stdout } = run(join(dir, "nowhere.test.yaml"));
  assert.equal(status, 2);
  assert.match(stdout, /nowhere\.test\.yaml: No such file or directory/);
});

test("in folders only files of tests are taken, and nothing is left behind", () => {
  file("folder/deep/a.test.json", one([{ at: "1d", message: {} }]));
  file("folder/b.test.json", one([{ at: "1d", message: {} }]));
  file("folder/notes.json", "{}");
  file("folder/node_modules/c.test.json", "no");
  const tmp = mkdtempSync(join(dir, "tmp-"));
  const { status, stdout } = spawnSync(program, ["test", join(dir, "folder")], { encoding: "utf8", env: { ...process.env, TMPDIR: tmp } });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /b\.test\.json[^]*a\.test\.json[^]*2 passed/);
  assert.deepEqual(readdirSync(tmp), []);
});

test("ended early, it leaves nothing behind either", async () => {
  const many = file("many.test.json", Array.from({ length: 200 }, () => one([{ at: "1d", message: {} }])));
  const tmp = mkdtempSync(join(dir, "tmp-"));
  const child = spawn(program, ["test", many], { stdio: "ignore", env: { ...process.env, TMPDIR: tmp } });
  await until(() => readdirSync(tmp).length, "its directory");
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  assert.equal(code, 130);
  assert.deepEqual(readdirSync(tmp), []);
});

test("calls, deliveries, cancellation, preferences and topics can be told and expected", () => {
  const path = file("much.test.yaml", `
- name: much
  given:
    workflows:
      - workflowId: much
        name: Much
        steps:
          - {name: Ask, type: http_request, controlValues: {method: POST, url: "{{env.HOST}}/x", body: '{"a":"{{payload.a}}"}', continueOnFailure: true}}
          - {name: Mail, type: email, controlValues: {subject: "{{steps.ask.word | default: 'nothing'}}", editorType: html, body: "<p>Hello</p>"}}
          - {name: Week, type: delay, controlValues: {type: regular, amount: 1, unit: weeks}}
          - {name: Bell, type: in_app, controlValues: {body: end}}
    integrations:
      - {providerId: nodemailer, channel: email, name: SMTP, active: true, credentials: {host: 127.0.0.1, port: "1", from: a@example.com}}
    variables: {HOST: "https://example.com"}
    subscribers: [{subscriberId: ana, email: ana@example.com}, {subscriberId: ben, email: ben@example.com}]
    topics: [{key: all, name: All, subscribers: [ana, ben]}]
    preferences: [{subscriberId: ben, channels: {email: false}}]
    assume: {calls: {much/ask: {body: {word: yes please}}}, deliveries: {mail: [retry, sent]}}
  when:
    - trigger: {name: much, to: [{type: Topic, topicKey: all}], transactionId: t-1, payload: {a: "1"}}
    - after: 1d
      cancel: t-1
    - after: 1d
      cancel: t-2
      answer: false
    - assume: {calls: {ask: timeout}, deliveries: {mail: failed}}
    - trigger: {name: much, to: ana, transactionId: t-3, payload: {a: "2"}}
    - after: 1h
      trigger: {name: none, to: ana}
      status: 422
      answer: {message: {contains: workflow_not_found}}
  then:
    - at: 1h
      message: {to: ana, channel: email, subject: yes please, status: sent, text: Hello}
      count: 1
    - at: 1h
      run: {topics: [all]}
      count: 2
    - at: 1h
      step: {to: ben, step: mail, decision: skipped, rule: preference, layer: subscriberGlobal}
    - call: {url: "https://example.com/x", method: POST, body: {a: "1"}, to: {oneOf: [ana, ben]}}
      count: 2
    - step: {transactionId: t-1, step: week, decision: canceled}
      count: 2
    - message: {step: bell}
      count: 0
    - message: {to: ana, transactionId: t-3, channel: email, status: error}
    - step: {transactionId: t-3, step: ask, status: failed, error: {contains: time out}}
`);
  const { status, stdout } = run(path);
  assert.equal(status, 0, stdout);
});

test("the ten examples pass, and a server takes their workflows as they are", async () => {
  const folders = readdirSync(examples).filter((name) => !name.includes("."));
  assert.equal(folders.length, 10);
  const { status, stdout } = run(examples);
  assert.equal(status, 0, stdout);
  for (const name of folders)
    assert.match(stdout, new RegExp(`ok +\\S*/${name}/${name}\\.test\\.yaml`));
  const server = await Carillon.start();
  try {
    const { body: me } = await server.call("GET", "/v1/environments/me");
    for (const key of ["CARRIER_URL", "CONSOLE_URL"]) {
      const made = await server.call("POST", "/v1/environment-variables", { key, values: [{ _environmentId: me.data._id, value: "https://example.com" }] });
      assert.equal(made.status, 200, made.text);
    }
    for (const name of folders) {
      const { status: taken, body: answer } = await server.call("POST", "/v2/workflows", JSON.parse(readFileSync(join(examples, name, "workflow.json"), "utf8")));
      assert.equal(taken, 201, JSON.stringify(answer));
      assert.equal(answer.data.workflowId, name);
      assert.equal(answer.data.status, "ACTIVE", `${name}: ${JSON.stringify(answer.data.steps.map((s) => s.issues))}`);
    }
  } finally {
    await server.stop();
  }
});
