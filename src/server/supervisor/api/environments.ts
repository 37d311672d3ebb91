import { say } from '../../../shared/message';
import { AppSupervisorError } from '../../errors';
import { drainInput, forgetInput, moveInput, parseInput, uncordonInput } from '../definitions/input';
import { arrivalInput, confirmInput, joinInput } from '../joining/join-input';
import { type ActionContext, type Answer, target } from './action';
import { bulkRow } from './apps';

export async function list({ supervisor }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.view.environmentRows() };
}

export async function cordon({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  await supervisor.parts.environmentCache.change(name, { cordoned: true });
  await supervisor.parts.journal.ofEnvironment(name, 'cordon', userId);
  return { data: rowOf(supervisor, name) };
}

/** Accepts apps again, and brings home, if asked, what drains have moved or stopped. */
export async function uncordon({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  const { bringHome } = parseInput(uncordonInput, values);
  const result = await supervisor.parts.drains.uncordon(name, bringHome, userId);
  return { data: rowOf(supervisor, name), meta: bulkRow(supervisor, result) };
}

/** Accepts no new apps, and moves or stops the environment's apps. */
export async function drain({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  const request = parseInput(drainInput, values);
  const result = await supervisor.parts.drains.drain(name, request, userId);
  const { operations, refused: left } = bulkRow(supervisor, result);
  return { data: rowOf(supervisor, name), meta: { operations, left } };
}

const rowOf = (supervisor: ActionContext['supervisor'], name: string) =>
  supervisor.parts.view.environmentRows().find((row) => row.name === name);

/** What a move of all apps of an environment would do. Changes nothing. */
export async function previewMove({ supervisor, params, values }: ActionContext): Promise<Answer> {
  const { to } = parseInput(moveInput, values);
  const name = target(params);
  return { data: await supervisor.parts.moves.preview(appsIn(supervisor, name), { from: name, to }) };
}

/** Moves all apps of an environment; what cannot be moved is refused with its reason. */
export async function move({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const { to } = parseInput(moveInput, values);
  const name = target(params);
  const result = await supervisor.parts.moves.move(appsIn(supervisor, name), { from: name, to }, userId);
  return { data: bulkRow(supervisor, result) };
}

function appsIn(supervisor: ActionContext['supervisor'], environment: string) {
  const isKnown = supervisor.parts.environmentCache.names().includes(environment);
  if (!isKnown) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment });
  return supervisor.apps().filter(({ environments }) => environments.includes(environment));
}

/** The environment will not come back: nothing waits for it any more. */
export async function forget({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  const { move: moves, to } = parseInput(forgetInput, values);
  const { environmentCache, drains, journal } = supervisor.parts;
  await environmentCache.assertForgettable(name);
  const moved = moves ? await drains.moveStranded(name, to, userId) : { operations: [], refused: [] };
  await supervisor.forget(name);
  await journal.ofEnvironment(name, 'forget', userId);
  return { data: { name }, meta: bulkRow(supervisor, moved) };
}

/** Whether this Supervisor reaches the proxy address, for HTTP and WebSockets separately. */
export async function check({ supervisor, params }: ActionContext): Promise<Answer> {
  const name = target(params);
  const row = supervisor.parts.view.environmentRows().find((environment) => environment.name === name);
  if (!row) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
  // In shared memory there is no network between them.
  const here = { ok: true, message: say('REACH_THIS_PROCESS') };
  return {
    data: row.proxyUrl ? await supervisor.checkReach(row.proxyUrl) : { web: here, ws: here },
  };
}

/** Visitors with their sessions are sent there from now on, so it needs the permission of whoever adds environments. */
export async function confirmAddress({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  const { address } = parseInput(confirmInput, values);
  await supervisor.parts.environmentCache.confirm(name, address);
  await supervisor.parts.journal.ofEnvironment(name, say('ADDRESS_CONFIRMED', { environment: name, address }), userId);
  return { data: rowOf(supervisor, name) };
}

/** Of its Worker's main app. Only this answer contains the new password. */
export async function resetAdmin({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.administrators.ofEnvironment(target(params), userId) };
}

/** How the Worker of a new environment is started. Contains its secrets. */
export async function join({ supervisor, values, userId }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.joins.join(parseInput(joinInput, values), userId) };
}

/** What is known of a Worker that should have joined. Changes nothing. */
export async function arrival({ supervisor, values }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.joins.arrival(parseInput(arrivalInput, values)) };
}
