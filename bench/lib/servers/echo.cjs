/**
 * Accepts every WebSocket upgrade, and sends back every byte; of other requests it reads the body before it answers.
 */
const { createHash } = require('node:crypto');
const http = require('node:http');
const { PORT, HOST } = process.env;
// HAProxy passes no other answer to a handshake than the one that belongs to its key (RFC 6455, 4.2.2).
const acceptOf = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const switchFor = (key) =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`;
const server = http.createServer((req, res) => req.resume().once('end', () => res.end('{}')));
server.on('upgrade', (req, socket) => {
  socket.on('error', () => socket.destroy());
  socket.setNoDelay(true);
  socket.write(switchFor(req.headers['sec-websocket-key']));
  socket.pipe(socket);
});
server.listen({ port: Number(PORT), host: HOST, backlog: 4096 });
