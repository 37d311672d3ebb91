import { changesOf, type Maps } from './rules/maps';
import { MAPS } from './rules/place';
import type { RuntimeSocket } from './runtime-socket';

/** The variable of HAProxy that says which configuration it has read. */
export const CONFIGURATION_MARK = 'DOOR_MARK';

type MapName = keyof typeof MAPS;

/** Of one process of HAProxy, what tells it from any other on this machine. */
export interface Identity {
  pid: number;
  /** In seconds since 1970. */
  startedAt: number;
}

/**
 * One process of HAProxy that serves visitors: after a reload the former one stays until its last connection has ended. What it has is asked
 * of itself, so that it does not matter who started it.
 */
export class HAProxyProcess {
  private constructor(
    readonly socket: RuntimeSocket,
    readonly identity: Identity,
    readonly version: string,
    /** Of the configuration that it has read. */
    readonly mark: string,
    private maps: Maps,
  ) {}

  /**
   * @param folder with the files that it has read
   * @throws if it ends meanwhile
   */
  static async at(socket: RuntimeSocket, folder: string): Promise<HAProxyProcess> {
    const names = Object.keys(MAPS) as MapName[];
    const [info, mark, ...maps] = await socket.send([
      'show info',
      `show env ${CONFIGURATION_MARK}`,
      ...names.map((name) => `show map ${folder}/${MAPS[name]}`),
    ]);
    const { Version: version, Pid: pid, Start_time_sec: startedAt } = infoOf(info);
    return new HAProxyProcess(
      socket,
      { pid: Number(pid), startedAt: Number(startedAt) },
      version,
      mark.replace(`${CONFIGURATION_MARK}=`, ''),
      Object.fromEntries(names.map((name, i) => [name, entriesOf(maps[i])])) as unknown as Maps,
    );
  }

  /**
   * Gives it these maps, one line after the other.
   * @returns how many lines were changed
   * @throws what it did not accept; then it is not known what it has
   */
  async bring(maps: Maps, folder: string): Promise<number> {
    if (this.maps === maps) return 0;
    const commands = changesOf(this.maps, maps, folder);
    const answers = commands.length ? await this.socket.send(commands) : [];
    const refused = answers.findIndex((answer) => answer !== '');
    if (refused >= 0) throw new Error(`HAProxy answers to "${commands[refused]}": ${answers[refused]}`);
    this.maps = maps;
    return commands.length;
  }

  /** Whether another process has taken its place, and whether it has nothing left to do. */
  async state(): Promise<{ isLeaving: boolean; isDone: boolean; info: Info }> {
    const info = infoOf(await this.socket.ask('show info'));
    // Connections to the runtime socket are not among them.
    return { isLeaving: info.Stopping !== '0', isDone: info.Stopping !== '0' && Number(info.CurrConns) === 0, info };
  }
}

export type Info = Record<string, string>;

function infoOf(text: string): Info {
  const lines = text.split('\n').filter((line) => line.includes(': '));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
}

/** Of lines such as `0x55d2b1c0 key value`. */
function entriesOf(text: string): Map<string, string> {
  return new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [, key, ...value] = line.split(' ');
        return [key, value.join(' ')];
      }),
  );
}
