/**
 * Accepts every WebSocket upgrade, and sends back every byte; of other requests it reads the body before it answers.
 */
const http = require('node:http');
const { PORT, HOST } = process.env;
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
const server = http.createServer((req, res) => req.resume().once('end', () => res.end('{}')));
server.on('upgrade', (_req, socket) => {
  socket.on('error', () => socket.destroy());
  socket.setNoDelay(true);
  socket.write(SWITCH);
  socket.pipe(socket);
});
server.listen({ port: Number(PORT), host: HOST, backlog: 4096 });
