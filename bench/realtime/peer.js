// What Carillon's sockets are measured against: npm socket.io as a notification service uses it, a room for each
// subscriber and three events for each message. It checks no token and stores nothing, which is in its favour.
// peer.js PORT; POST /emit?from=M&n=N emits the body to subscribers M…N, POST /broadcast one event to everybody.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer((request, response) => {
  const url = new URL(request.url, 'http://peer');
  if (request.method === 'GET') {
    response.end('ok');
    return;
  }
  let text = '';
  request.on('data', (part) => { text += part; });
  request.on('end', () => {
    const message = JSON.parse(text);
    if (url.pathname === '/broadcast') io.emit('notification_received', { message });
    for (let i = Number(url.searchParams.get('from')); url.pathname === '/emit' && i <= Number(url.searchParams.get('n')); i++) {
      const room = io.to(String(i));
      room.emit('notification_received', { message });
      room.emit('unseen_count_changed', { unseenCount: 1, hasMore: false });
      room.emit('unread_count_changed', { unreadCount: 1, counts: { total: 1, severity: { high: 0, medium: 0, low: 0, none: 1 } }, hasMore: false });
    }
    response.writeHead(204, { 'Content-Length': '0' }).end();
  });
});
const io = new Server(http, { serveClient: false, perMessageDeflate: false });
io.on('connection', (socket) => { void socket.join(String(socket.handshake.query.token)); });
http.listen(Number(process.argv[2]), '127.0.0.1');
