import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../scripts/fleet';
import type { ContainerSpec, ContainerState, Death, WorkerDriver } from '../../src/server/supervisor/containers/driver';

/** What an engine of the tests provides. */
export interface DriverTarget {
  /** For a fleet with this id. */
  driverFor(fleet: string): WorkerDriver;
  /**
   * Images of a program that writes `of <image>`, its variables `FROM_SPEC` and `SECRET_KEY`, and what it has stored in its volume; then
   * it stores `FILE` there, is ready after a second, and ends with 0 when it is asked to. `DOES` = `dies`: it writes and ends with 3;
   * `grows`: it takes memory without end.
   */
  images: [former: string, next: string];
  /** What is published at this port of the engine's machine. */
  visit(port: number): Promise<string>;
  /** A container that somebody else has made, with this name. */
  makeForeign(name: string): Promise<{ isRunning(): Promise<boolean>; remove(): Promise<void> }>;
  /** What the engine shows of a container's configuration. */
  configurationOf(name: string): Promise<string>;
  /** Containers whose name begins with this. */
  namesOf(name: string): Promise<string[]>;
  /** As a Supervisor leaves it that ends in the middle of an upgrade. */
  leaveAside(name: string): Promise<void>;
  /** Whether there is a volume of this container. */
  hasVolume(container: string): Promise<boolean>;
}

const MINUTE = 60_000;
const MB = 1024 * 1024;

/** The contract of `WorkerDriver`. The tests follow one another. */
export function driverContract(target: DriverTarget): void {
  const driver = target.driverFor('fleet-1');
  const other = target.driverFor('fleet-2');
  const deaths: Death[] = [];
  const restored: string[] = [];
  let watching: { close(): void };

  const spec = (values: Partial<ContainerSpec> = {}): ContainerSpec => ({
    environment: 'env_t',
    name: 'worker-env-t',
    image: target.images[0],
    network: null,
    variables: [
      ['FROM_SPEC', 'a value with "quotes" and $signs'],
      ['SECRET_KEY', "it's $HOME"],
      ['FILE', 'first'],
    ],
    port: 17_100,
    host: '127.0.0.1',
    memory: 256 * MB,
    cpus: 0.5,
    request: '{"name":"env_t"}',
    ...values,
  });
  const state = async (environment = 'env_t') =>
    (await driver.list()).find((each) => each.environment === environment) ?? null;
  const until = (what: string, isSo: (found: ContainerState | null) => boolean, environment = 'env_t') =>
    waitFor(async () => isSo(await state(environment)), { timeout: MINUTE, interval: 200, what });
  const removed = (environment: string) => driver.remove(environment, { volume: true }).catch(() => undefined);

  beforeAll(async () => {
    for (const environment of ['env_t', 'env_dies', 'env_grows']) await removed(environment);
    watching = driver.watch({
      died: (death) => void deaths.push(death),
      restored: (environment) => void restored.push(environment),
    });
  });
  afterAll(async () => {
    watching?.close();
    for (const environment of ['env_t', 'env_dies', 'env_grows']) await removed(environment);
  });

  it('creates one with its variables, limits and port, and says when it is ready', async () => {
    await driver.create(spec());
    expect(await state()).toMatchObject({
      environment: 'env_t',
      name: 'worker-env-t',
      image: target.images[0],
      memory: 256 * MB,
      cpus: 0.5,
      request: '{"name":"env_t"}',
      restarts: 0,
      end: null,
    });
    await until('A container that is ready', (found) => found?.status === 'running');
    expect(await target.visit(17_100)).toBe('ready');
    expect(await driver.logs('env_t', 10)).toEqual([
      `of ${target.images[0]}`,
      'a value with "quotes" and $signs',
      "it's $HOME",
      'stored: nothing',
    ]);
    expect(await target.configurationOf('worker-env-t')).not.toContain("it's $HOME");
    expect(await driver.logs('env_t', 1)).toEqual(['stored: nothing']);
  });

  it('creates no second one', async () => {
    await expect(driver.create(spec())).rejects.toMatchObject({ code: 'CONTAINER_EXISTS' });
    expect(await driver.list()).toHaveLength(1);
  });

  it('leaves nothing of one that cannot be created', async () => {
    const wrong = spec({ environment: 'env_wrong', name: 'worker-env-wrong', image: 'no-such-image', port: null });
    await expect(driver.create(wrong)).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    const taken = spec({ environment: 'env_wrong', name: 'worker-env-wrong' });
    await expect(driver.create(taken)).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    expect(await state('env_wrong')).toBeNull();
  });

  it('stops, starts and restarts it; a repeated wish changes nothing', async () => {
    await driver.stop('env_t');
    expect(await state()).toMatchObject({ status: 'stopped', end: null });
    await driver.stop('env_t');
    await driver.start('env_t');
    await driver.start('env_t');
    await until('A container that is ready again', (found) => found?.status === 'running');
    const { since } = (await state())!;
    await driver.restart('env_t');
    await until('A restart', (found) => found?.status === 'running' && found.since > since);
    // It has kept its files.
    expect((await driver.logs('env_t', 1))[0]).toBe('stored: first');
  });

  it('upgrades it to another image, and keeps its files', async () => {
    await driver.upgrade(spec({ image: target.images[1], memory: 128 * MB }));
    expect(await state()).toMatchObject({ image: target.images[1], memory: 128 * MB });
    await until('The new one', (found) => found?.status === 'running');
    expect(await driver.logs('env_t', 10)).toEqual(expect.arrayContaining([`of ${target.images[1]}`, 'stored: first']));
    expect(await driver.list()).toHaveLength(1);
    await waitFor(async () => (await target.namesOf('worker-env-t')).join() === 'worker-env-t', {
      timeout: MINUTE,
      interval: 500,
      what: 'The end of the former one',
    });
    expect(restored).toEqual([]);
  });

  it('lets the former one run again if the new one does not become ready', async () => {
    await driver.upgrade(spec({ variables: [['DOES', 'dies']] }));
    await waitFor(() => restored.includes('env_t'), { timeout: 2 * MINUTE, what: 'The former one' });
    expect(await target.namesOf('worker-env-t')).toEqual(['worker-env-t']);
    expect(await state()).toMatchObject({ image: target.images[1], memory: 128 * MB });
    await until('The former one', (found) => found?.status === 'running');
    deaths.length = 0;
  });

  it('upgrades what an interrupted upgrade has left', async () => {
    await target.leaveAside('worker-env-t');
    expect(await state()).not.toBeNull();
    await driver.upgrade(spec({ image: target.images[1], memory: 128 * MB }));
    await until('The new one', (found) => found?.status === 'running' && found.name === 'worker-env-t');
    await waitFor(async () => (await target.namesOf('worker-env-t')).length === 1, {
      timeout: MINUTE,
      interval: 500,
      what: 'The end of the former one',
    });
  });

  it('lets the former one run again if the new one cannot be made', async () => {
    await expect(driver.upgrade(spec({ image: 'no-such-image' }))).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    expect(await state()).toMatchObject({ name: 'worker-env-t', image: target.images[1] });
    await until('The former one', (found) => found?.status === 'running');
  });

  describe('what dies', () => {
    const dying = (does: string, values: Partial<ContainerSpec> = {}) =>
      spec({
        environment: `env_${does}`,
        name: `worker-env-${does}`,
        variables: [['DOES', does]],
        port: null,
        ...values,
      });

    it('is started again, and reported with its exit code and its last lines', async () => {
      await driver.create(dying('dies'));
      await waitFor(() => deaths.some(({ environment }) => environment === 'env_dies'), {
        timeout: MINUTE,
        what: 'A death',
      });
      const [death] = deaths.filter(({ environment }) => environment === 'env_dies');
      expect(death).toMatchObject({ exitCode: 3, isOutOfMemory: false });
      expect(death.lastLines.at(-1)).toBe('It cannot go on.');
      await until('A second start', (found) => (found?.restarts ?? 0) > 0, 'env_dies');
      await until('It between two starts', (found) => found?.end?.exitCode === 3, 'env_dies');
      await driver.remove('env_dies', { volume: true });
    });

    it('for lack of memory is reported as that', async () => {
      await driver.create(dying('grows', { memory: 64 * MB }));
      await waitFor(() => deaths.some(({ environment }) => environment === 'env_grows'), {
        timeout: MINUTE,
        what: 'A death',
      });
      expect(deaths.find(({ environment }) => environment === 'env_grows')).toMatchObject({ isOutOfMemory: true });
      await driver.remove('env_grows', { volume: true });
    });

    it('is not what somebody has stopped', () => {
      expect(deaths.filter(({ environment }) => environment === 'env_t')).toEqual([]);
    });
  });

  it('touches nothing of other fleets, and nothing that others have made', async () => {
    expect(await other.list()).toEqual([]);
    for (const act of ['start', 'stop', 'restart'] as const)
      await expect(other[act]('env_t')).rejects.toMatchObject({ code: 'UNKNOWN_CONTAINER' });
    await expect(other.remove('env_t', { volume: true })).rejects.toMatchObject({ code: 'UNKNOWN_CONTAINER' });
    await expect(other.upgrade(spec())).rejects.toMatchObject({ code: 'UNKNOWN_CONTAINER' });
    await expect(other.logs('env_t', 1)).rejects.toMatchObject({ code: 'UNKNOWN_CONTAINER' });
    const foreign = await target.makeForeign('worker-env-foreign');
    const same = spec({ environment: 'env_foreign', name: 'worker-env-foreign', port: null });
    await expect(driver.create(same)).rejects.toMatchObject({ code: 'CONTAINER_EXISTS' });
    await expect(driver.remove('env_foreign', { volume: true })).rejects.toMatchObject({ code: 'UNKNOWN_CONTAINER' });
    expect(await foreign.isRunning()).toBe(true);
    await foreign.remove();
  });

  it('removes it, and its files only if that is wanted', async () => {
    await driver.remove('env_t', { volume: false });
    expect([await state(), await target.hasVolume('worker-env-t')]).toEqual([null, true]);
    await driver.create(spec());
    await driver.remove('env_t', { volume: true });
    expect([await state(), await target.hasVolume('worker-env-t')]).toEqual([null, false]);
  });

  it('is in no container of the engine here', async () => {
    expect(await driver.own()).toBeNull();
  });
}
