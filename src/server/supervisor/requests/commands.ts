import { say } from '../../../shared/message';
import { type AppCommand, appCommand } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError, messageOf } from '../../errors';
import type { Log } from '../../log';
import { administratorOf } from '../../protocol/administrator';
import type { MessageBus } from '../../protocol/bus';
import type { Leadership } from '../control/leader';
import type { AppCache } from '../definitions/app-cache';
import { eventOf, ofApp } from '../definitions/change-events';
import type { EventStore } from '../definitions/event-store';
import { createInput, parseInput } from '../definitions/input';
import type { AppDefinition } from '../definitions/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { AppService } from './service';

/** The method by which a Worker passes a command on. */
export const COMMAND_METHOD = 'command';

/** What a Worker may have done in its own environment. */
const OF_WORKERS = ['start', 'stop', 'restart'] as const;
const KNOWN = [...OF_WORKERS, 'upgrade', 'create', 'remove'] as const;
type Known = (typeof KNOWN)[number];

/** Commands that a Worker may send in a minute. */
const MOST = 30;
const MINUTE = 60_000;
const DAY = 86_400_000;

/** The request that the page would make. */
export type CommandRequest =
  /** Of the whole app, or in some of its environments. */
  | { kind: 'command'; action: 'start' | 'stop' | 'restart' | 'upgrade'; environments?: string[] }
  | { kind: 'create'; values: Record<string, unknown> }
  /** The app leaves environments, and stays in these. */
  | { kind: 'place'; environments: string[] }
  /** Its data are kept. */
  | { kind: 'destroy' };

/**
 * What a command of another plugin asks for.
 * @param app null if there is none of that name
 * @param from the environment whose Worker passes it on; null: it was dispatched in this process
 * @throws AppSupervisorError COMMAND_UNKNOWN, COMMAND_ELSEWHERE, NOT_IN_ENVIRONMENT
 */
export function requestOf(command: AppCommand, app: AppDefinition | null, from: string | null): CommandRequest {
  const { appName, action, environments, payload } = command;
  if (!isKnown(action)) throw new AppSupervisorError('COMMAND_UNKNOWN', { action, known: KNOWN.join(', ') });
  if (from !== null) {
    const isOwn = environments.every((name) => name === from) && app?.environments.includes(from);
    const own = OF_WORKERS.find((each) => each === action);
    // The same whether the app is elsewhere or nowhere: the Worker need not learn it.
    if (!own || !isOwn) throw new AppSupervisorError('COMMAND_ELSEWHERE', { action, app: appName, environment: from });
    return { kind: 'command', action: own, environments: [from] };
  }
  if (action === 'create' && !app)
    return { kind: 'create', values: { ...modelIn(payload), name: appName, ...(environments[0] && { environments }) } };
  const absent = app && environments.find((environment) => !app.environments.includes(environment));
  if (absent) throw new AppSupervisorError('NOT_IN_ENVIRONMENT', { app: appName, environment: absent });
  const others = app && environments[0] ? app.environments.filter((name) => !environments.includes(name)) : [];
  if (action === 'remove') return others.length ? { kind: 'place', environments: others } : { kind: 'destroy' };
  return {
    kind: 'command',
    action: action === 'create' ? 'start' : action,
    ...(others.length && { environments }),
  };
}

const isKnown = (action: string): action is Known => (KNOWN as readonly string[]).includes(action);

/** The core's own adapters name the app's model in their payload. */
const modelIn = (payload: AppCommand['payload'] = {}): Record<string, unknown> =>
  typeof payload.appModel === 'object' && payload.appModel !== null
    ? (payload.appModel as Record<string, unknown>)
    : payload;

const someId = appCommand.pick({ requestId: true });

/** What is said of a command as long as it is not known to be one: whoever waits for its outcome knows it by its id. */
export const unread = (value: unknown): AppCommand => {
  const { requestId = '' } = someId.safeParse(value).data ?? {};
  return { requestId, appName: '?', action: '?', environments: [] };
};

/** A command of another plugin, and what became of it. */
export interface CommandOutcome {
  requestId: string;
  appName: string;
  action: string;
  /** The environment whose Worker passed it on; null: it was dispatched in this process. */
  from: string | null;
  /** Code of the error; null: it was accepted. */
  refused: string | null;
}

export interface AppCommandsOptions {
  service: AppService;
  appCache: Pick<AppCache, 'apps'>;
  environmentCache: Pick<EnvironmentCache, 'get' | 'isAdmitted'>;
  leadership: Pick<Leadership, 'leads'>;
  events: Pick<EventStore, 'append'>;
  bus: Pick<MessageBus, 'serveWorkers'>;
  clock: Clock;
  log: Log;
  onCommand(outcome: CommandOutcome): void;
}

/** Carries out what other plugins dispatch through NocoBase's core, here and on Workers. */
export class AppCommands {
  /** By environment: times of the last commands, and whether it was noted that there are too many. */
  private readonly sent = new Map<string, { times: number[]; isNoted: boolean }>();

  constructor(private readonly options: AppCommandsOptions) {}

  /** Begins to answer Workers. @param isRunning false once this process ends */
  async serve(isRunning: () => boolean): Promise<void> {
    const { bus, environmentCache, leadership } = this.options;
    await bus.serveWorkers({
      knows: (environment) =>
        environmentCache.get(environment) !== undefined && environmentCache.isAdmitted(environment),
      answer: (environment, method, payload) => {
        if (!isRunning() || !leadership.leads) return null;
        if (method === COMMAND_METHOD) return this.carryOut(payload, environment).then(() => null);
        return Promise.reject(new AppSupervisorError('UNKNOWN_REQUEST', { request: method }));
      },
    });
  }

  /**
   * Makes the request that a command stands for. It is accepted when its operation is stored, as on the page.
   * @throws AppSupervisorError what `requestOf` and the request throw, INVALID_INPUT, TOO_MANY_COMMANDS
   */
  async carryOut(value: unknown, from: string | null): Promise<void> {
    const { appCache, onCommand } = this.options;
    let command = unread(value);
    const app = () => appCache.apps.get(command.appName) ?? null;
    const tell = (refused: string | null) => {
      const { requestId, appName, action } = command;
      onCommand({ requestId, appName, action, from, refused });
    };
    // Of those that are too many one is noted, and none is read.
    const excess = from === null ? null : this.excessOf(from);
    try {
      if (excess) throw excess.error;
      command = parseInput(appCommand, value);
      await this.perform(requestOf(command, app(), from), command.appName);
    } catch (error) {
      if (!excess?.isNoted) await this.noteRefused(command, app(), from, error);
      tell(describeError(error).code);
      throw error;
    }
    tell(null);
  }

  private async perform(request: CommandRequest, name: string): Promise<unknown> {
    const { service } = this.options;
    if (request.kind === 'command')
      return service.command(name, request.action, null, { environments: request.environments });
    if (request.kind === 'place') return service.update(name, { environments: request.environments }, null);
    if (request.kind === 'destroy') return service.destroy(name, 'keep', null);
    const input = parseInput(createInput, request.values);
    return service.create({ ...input, initialAdmin: administratorOf(input.initialAdmin, {}) }, null);
  }

  /** Counts a command. @returns null if there are not too many */
  private excessOf(environment: string): { error: AppSupervisorError; isNoted: boolean } | null {
    const now = this.options.clock.now().mono;
    const sent = this.sent.get(environment) ?? { times: [], isNoted: false };
    const times = sent.times.filter((time) => now - time < MINUTE);
    const isExcess = times.length >= MOST;
    this.sent.set(environment, { times: isExcess ? times : [...times, now], isNoted: isExcess });
    if (!isExcess) return null;
    const seconds = Math.ceil((times[0] + MINUTE - now) / 1000);
    return { error: new AppSupervisorError('TOO_MANY_COMMANDS', { environment, seconds }), isNoted: sent.isNoted };
  }

  /** In the log and in Activity. Never rejects. */
  private async noteRefused(
    { appName, action }: AppCommand,
    app: AppDefinition | null,
    from: string | null,
    error: unknown,
  ): Promise<void> {
    const { events, clock, log } = this.options;
    const cause = describeError(error);
    const about = { app: appName, ...(from === null ? {} : { environment: from }) };
    log.warn(`The command "${action}" of another plugin was refused (${cause.code}): ${messageOf(error)}`, about);
    // Of an app that is not there a Worker could name any number.
    const known = app && (from === null || app.environments.includes(from)) ? app : null;
    const at = clock.now().wall;
    // Once a day for the same cause.
    const event = eventOf({
      id: `refusal command ${from} ${known?.uid} ${action} ${cause.code} ${Math.floor(at / DAY)}`,
      kind: 'refusal',
      ...(known && ofApp(known)),
      environment: from,
      message: say('COMMAND_REFUSED', { app: appName, action }),
      cause,
      at,
    });
    await events.append([event]).catch((failure) => {
      log.warn(`A refused command could not be recorded: ${messageOf(failure)}`, about);
    });
  }
}
