import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { hasBody } from './headers';

/**
 * Lets an answer reach a visitor who is still uploading and wants the connection closed. Node closes the connection
 * right behind such an answer; with unread bytes in it, that resets the visitor's side, and the answer is lost with it.
 * Here the connection says goodbye behind the answer, and the rest of the upload is read and dropped.
 *
 * @param silence ms without a byte after which the connection is closed anyway
 */
export function lingerOverUpload(req: IncomingMessage, silence: number): void {
  if (!hasBody(req)) return;
  const { socket } = req;
  const close: Socket['destroySoon'] = Object.getPrototypeOf(socket).destroySoon;
  // Node's server closes with this method alone (lib/_http_server.js, resOnFinish).
  socket.destroySoon = function destroySoon() {
    if (req.complete) return close.call(socket);
    socket.end();
    socket.setTimeout(silence, () => socket.destroy());
    req.once('end', () => close.call(socket));
    req.resume();
  };
}
