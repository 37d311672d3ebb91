/**
 * Creates an app with a first administrator, waits until it runs, and signs in to it.
 *
 *   SUPERVISOR_EMAIL=… SUPERVISOR_PASSWORD=… npx tsx examples/provision.ts <url> <name> <title> <administrator's e-mail>
 *
 * Prints `{name, url, administrator: {username, email, password}}`. The password is generated, and nobody can read it again.
 * Needs Node.js 20 and no packages.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const MINUTES = 5;

const { SUPERVISOR_EMAIL, SUPERVISOR_PASSWORD } = process.env;
const [supervisor, name, title, email] = process.argv.slice(2);
if (!email || !SUPERVISOR_EMAIL || !SUPERVISOR_PASSWORD) {
  console.error('Set SUPERVISOR_EMAIL and SUPERVISOR_PASSWORD, and name: <url> <name> <title> <e-mail>');
  process.exit(2);
}

/** A message of the server; the texts are in src/locale. */
interface Message {
  code: string;
  params?: Record<string, unknown>;
}
interface Operation {
  id: string;
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  waitingFor: Message | null;
  progress: Array<{ environment: string; error?: Message }>;
}
interface Created {
  operation: Operation;
  initialAdmin: { username: string; email: string; password: string };
}

const textOf = ({ code, params = {} }: Message) => `${code} ${JSON.stringify(params)}`;

const deadline = Date.now() + MINUTES * 60_000;

/** Calls an action of the main app, or of an app below its path. @throws with the code and message of a refusal */
async function call<T>(action: string, token?: string, body?: unknown): Promise<T> {
  const response = await fetch(`${supervisor}/api/${action}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Authenticator': 'basic',
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const { data, errors, error } = await response.json();
  if (response.ok) return data;
  // Nothing was done: an app answers like this while it starts.
  if (response.status === 503 && Date.now() < deadline) {
    await sleep(1_000);
    return call(action, token, body);
  }
  const { code, message } = errors?.[0] ?? error ?? {};
  throw new Error(`${action} was answered ${response.status} ${code ?? ''}: ${message}`);
}

async function signIn(path: string, account: string, password: string): Promise<string> {
  return (await call<{ token: string }>(`${path}auth:signIn`, undefined, { account, password })).token;
}

async function waitUntilItRuns({ id }: Operation, token: string): Promise<void> {
  while (Date.now() < deadline) {
    const operation = await call<Operation>(`appOperations:get?filterByTk=${id}`, token);
    if (operation.state === 'succeeded') return;
    if (operation.state === 'failed' || operation.state === 'cancelled') {
      const causes = operation.progress.flatMap(({ environment, error }) =>
        error ? `${environment}: ${textOf(error)}` : [],
      );
      throw new Error(`App ${name} was not created (${operation.state}). ${causes.join(' ')}`);
    }
    if (operation.waitingFor) console.error(`Waiting: ${textOf(operation.waitingFor)}`);
    await sleep(1_000);
  }
  throw new Error(`App ${name} does not run after ${MINUTES} minutes; operation ${id} goes on.`);
}

try {
  const token = await signIn('', SUPERVISOR_EMAIL, SUPERVISOR_PASSWORD);
  const environments = await call<Array<{ name: string; available: boolean; cordoned: boolean }>>(
    'appEnvironments:list',
    token,
  );
  const free = environments.find(({ available, cordoned }) => available && !cordoned);
  if (!free) throw new Error('No environment can take the app: none is online and not cordoned.');
  const app = { name, title, environments: [free.name], initialAdmin: { email } };
  const { operation, initialAdmin } = await call<Created>('apps:create', token, app);
  await waitUntilItRuns(operation, token);
  const own = await signIn(`__app/${name}/`, initialAdmin.email, initialAdmin.password);
  await call(`__app/${name}/auth:check`, own);
  console.log(JSON.stringify({ name, url: `${supervisor}/apps/${name}/admin/`, administrator: initialAdmin }));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
