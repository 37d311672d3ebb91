import http from 'node:http';
import { tuneServer } from '../../../src/server/proxy';
import { proxy } from './proxied';

/** The proxy module alone. */
const { PORT, HOST, APP = '' } = process.env;
const server = http.createServer((req, res) => proxy.web(APP, req, res));
server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head));
tuneServer(server);
server.listen({ port: Number(PORT), host: HOST, backlog: 4096 });
