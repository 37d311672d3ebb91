import type { Application } from '@nocobase/server';
import type { HostConfig } from '../../config/core-settings';
import type { WorkLog } from '../watchdog/busy-with';
import { type Guard, guardPlugin } from './guard';

type Listener = (...args: unknown[]) => unknown;
interface Node {
  id: unknown;
  type: unknown;
  workflowId: unknown;
}

/** Requests and messages of browsers. */
function noteRequests(app: Application, work: WorkLog): void {
  const { name } = app;
  const callback = app.callback.bind(app);
  app.callback = () => {
    const answer = callback() as Listener;
    return ((...args: unknown[]) => work.run({ app: name, kind: 'request' }, () => answer(...args))) as never;
  };
  const emit = app.emit.bind(app) as Listener;
  app.emit = ((event: unknown, ...args: unknown[]) =>
    typeof event === 'string' && event.startsWith('ws:')
      ? work.run({ app: name, kind: 'request' }, () => emit(event, ...args))
      : emit(event, ...args)) as never;
}

/** What the loop of this process works on for apps is noted where it begins, to be named if it never ends. */
export const workOfApps = (host: HostConfig, work: WorkLog): Guard => ({
  beforeLoad: (app) => noteRequests(app, work),
  afterLoad: (app) => {
    guardPlugin(app, host, ['workflow', 'Processor', 'default'], ['exec'], (original, args, { name }) => {
      const { id, type, workflowId } = args[1] as Node;
      const node = { type: String(type), node: String(id), workflow: String(workflowId) };
      return work.run({ app: name, kind: 'node', ...node }, () => original(...args));
    });
  },
});
