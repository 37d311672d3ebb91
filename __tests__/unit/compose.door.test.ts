import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { BlockList } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/lib/root.mjs';
import { parseConfig, type SupervisorConfig } from '../../src/server/config';
import { doorConfig } from '../../src/server/config/door';
import { keyringOf } from '../../src/server/core/wire';
import { haproxyArguments } from '../../src/server/door/rules/place';
import { publicKeyOf } from '../../src/server/protocol/keyring';
import { makeKeys, networks, type Service, services } from '../support/compose';

/** The door of docker-compose.yml. On a real engine: docker/compose.test.ts. */
const folder = mkdtempSync(path.join(tmpdir(), 'compose-door-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FOLDER = '/var/lib/nocobase-door';
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const { keys, password, door: variables } = makeKeys(folder);
const { door, haproxy } = services;
const config = doorConfig({ ...door.environment, ...variables });
const supervisor = parseConfig(
  { ...services.supervisor.environment, ...keys, ...password },
  { command: 'start', isMainThread: true },
) as SupervisorConfig;
const inDoor = ({ networks: all }: Service) =>
  (all as Record<string, { ipv4_address?: string; aliases?: string[] }>).door;

it('has the one address that others than this machine reach, and the Supervisor misses it where it is not', () => {
  const open = Object.entries(services).flatMap(([name, { ports = [] }]) =>
    ports.filter((port) => !port.startsWith('127.0.0.1:')).map((port) => [name, port]),
  );
  expect(open).toEqual([['haproxy', '14000:80']]);
  expect(config).toMatchObject({ folder: FOLDER, http: ':80', https: null });
  expect(supervisor.doors).toBe(1);
});

it('knows the Supervisor by its public key alone, and Redis by a user of its own', () => {
  expect(Object.keys(variables).sort()).toEqual(['APP_SUPERVISOR_PUBLIC_KEY', 'APP_SUPERVISOR_REDIS_URL']);
  expect(config.publicKey).toBe(publicKeyOf(keyringOf(supervisor).fleetKey!));
  expect(new URL(variables.APP_SUPERVISOR_REDIS_URL!).username).toBe('door');
});

it('is believed by the Supervisor about visitors, by an address that nobody else is given', () => {
  const { ipv4_address: address = '' } = inDoor(haproxy);
  expect(supervisor.trustedProxies).toEqual(['loopback', address]);
  const [{ subnet, ip_range: given }] = networks.door.ipam!.config;
  const isIn = (network: string) => {
    const list = new BlockList();
    const [base, length] = network.split('/');
    list.addSubnet(base, Number(length));
    return list.check(address);
  };
  expect([isIn(subnet), isIn(given)]).toEqual([true, false]);
  // Only there has the Supervisor this name: from elsewhere HAProxy would come by another address.
  expect(config.supervisors).toEqual(inDoor(services.supervisor).aliases!.map((name) => `http://${name}`));
});

it('runs as a user of its own, who sees nothing else of the fleet', () => {
  const { OWNER, DOOR_OWNER } = services.keys.environment!;
  expect(DOOR_OWNER).not.toBe(OWNER);
  for (const { user, read_only, cap_drop, security_opt } of [door, haproxy])
    expect([user, read_only, cap_drop, security_opt]).toEqual([DOOR_OWNER, true, ['ALL'], ['no-new-privileges:true']]);
  expect(door.volumes).toEqual([`door:${FOLDER}`, 'keys-door:/door:ro']);
  expect(haproxy.volumes).toEqual([`door:${FOLDER}`]);
  expect(read('Dockerfile')).toContain(`chown ${DOOR_OWNER} ${FOLDER}`);
  expect(haproxy.environment).toBeUndefined();
  // As npm start begins it.
  expect(haproxy.entrypoint).toEqual(['haproxy', ...haproxyArguments(FOLDER)]);
});

it('is left out by a file beside docker-compose.yml', () => {
  expect(parse(read('docker-compose.no-door.yml')).services).toEqual({
    door: { profiles: ['door'] },
    haproxy: { profiles: ['door'] },
    supervisor: { environment: { APP_SUPERVISOR_DOORS: '0' }, ports: ['14000:80'] },
  });
  expect(Object.values(services).flatMap((service) => ('profiles' in service ? [service] : []))).toEqual([]);
});
