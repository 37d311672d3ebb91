/** Unmodified http-proxy. */
const http = require('node:http');
const { TARGET, PORT, HOST } = process.env;
const proxy = require('http-proxy').createProxyServer({ target: TARGET, ws: true });
// Without a listener its errors end the process.
proxy.on('error', (_error, _req, res) => res.destroy());
const server = http.createServer((req, res) => proxy.web(req, res));
server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => socket.destroy());
  proxy.ws(req, socket, head);
});
server.listen(Number(PORT), HOST);
