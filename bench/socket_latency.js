// One subscriber on a socket, one trigger at a time: milliseconds from sending the trigger to the event's
// arrival, by the clock of this process (its own HTTP and WebSocket costs are part of the number, for both
// sides of a comparison). Prints JSON. The same contract is spoken to Carillon and to the peer.
import http from 'node:http';
import { io } from 'socket.io-client';

const option = Object.fromEntries(process.argv.slice(2).map((a) => a.replace(/^--/, '').split('=')));
const count = Number(option.count ?? 300);
const warmUp = 30;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true });

function post(path, headers, body) {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1', port: option.port, path, method: 'POST', agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers },
    }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { answer += part; });
      response.on('end', () => resolve({ status: response.statusCode, answer }));
    });
    request.on('error', reject);
    request.end(text);
  });
}

const session = await post('/v1/inbox/session', {},
  { applicationIdentifier: option.app, subscriber: { subscriberId: 'latency' } });
const { token } = JSON.parse(session.answer).data;
const socket = io(`http://127.0.0.1:${option['socket-port'] ?? option.port}`, { transports: ['websocket'], query: { token } });
let arrived = () => {};
socket.on('notification_received', () => arrived(performance.now()));
await new Promise((resolve, reject) => {
  socket.on('connect', resolve);
  socket.on('connect_error', reject);
});

const stamp = Date.now().toString(36);
async function once(i) {
  const event = new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error('no event within 5 s')), 5000);
    arrived = (at) => { clearTimeout(limit); resolve(at); };
  });
  const start = performance.now();
  const answer = post('/v1/events/trigger', { authorization: `ApiKey ${option.key}` }, {
    name: option.workflow, to: { subscriberId: 'latency' }, transactionId: `${stamp}-${i}`,
    payload: { actor: 'Charles Babbage', postTitle: 'Engines', comment: 'Looks right.', likes: 1 },
  }).then((r) => {
    if (r.status !== 201) throw new Error(`trigger answered ${r.status} ${r.answer}`);
    return performance.now();
  });
  const [eventAt, answerAt] = await Promise.all([event, answer]);
  return { event: eventAt - start, answer: answerAt - start };
}

const samples = [];
for (let i = 0; i < warmUp + count; i++) {
  const s = await once(i);
  if (i >= warmUp) samples.push(s);
  // Idle in between: the next trigger finds nothing under way.
  await new Promise((resolve) => { setTimeout(resolve, 2); });
}
socket.close();
agent.destroy();

function percentile(name, p) {
  const sorted = samples.map((s) => s[name]).sort((a, b) => a - b);
  return Number(sorted[Math.floor(p * (sorted.length - 1))].toFixed(3));
}
console.log(JSON.stringify({
  count, event_p50_ms: percentile('event', 0.5), event_p99_ms: percentile('event', 0.99),
  answer_p50_ms: percentile('answer', 0.5), answer_p99_ms: percentile('answer', 0.99),
}));
