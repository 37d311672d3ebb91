import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Calls `listener` once: when the answer is sent, or its visitor has left. Node.js closes only an answer that has the connection: one that
 * waits there for an earlier one (pipelining) hears nothing when the connection ends.
 */
export function onGone({ socket }: Pick<IncomingMessage, 'socket'>, res: ServerResponse, listener: () => void): void {
  if (isGone({ socket }, res)) {
    listener();
    return;
  }
  // One for each request that waits on the connection.
  socket.setMaxListeners(0);
  const once = () => {
    res.off('close', once);
    socket.off('close', once);
    listener();
  };
  res.on('close', once);
  socket.on('close', once);
}

/** Whether nobody gets the answer any more, or somebody has it. */
export const isGone = ({ socket }: Pick<IncomingMessage, 'socket'>, res: ServerResponse): boolean =>
  res.closed || socket.destroyed;
