import type { AppDefinition } from '../../../src/shared/app';
import type { AppRecord } from '../../../src/shared/messages';
import type { Operation } from '../../../src/shared/operation';
import type { World } from '../world';
import { processWellSince, redisWellSince } from './wellness';

/** An app that moves from where it is well runs on there until its uploads are copied (docs/moving.md). */

/** For how long an app has to be well where it is, before somebody asks to move it, in ms. */
const WELL_FOR = 40_000;

interface Move {
  from: string;
  to: string;
  generation: number;
}

const moves = new WeakMap<World, Map<string, Move>>();

const rows = <T>({ database }: World, table: string): T[] => database.database.visible(table) as T[];

/** @returns where an app is well that has been nowhere else and of which nothing else is asked; null if it is not */
export function isWellIn(world: World, name: string): string | null {
  const app = rows<AppDefinition>(world, 'apps').find((one) => one.name === name);
  const open = rows<Operation>(world, 'appOperations').some((one) => one.appName === name && one.finishedAt === null);
  if (!app || open || app.environments.length !== 1 || app.home !== null || app.previous || app.paused) return null;
  const [from] = app.environments;
  const isAlone = Object.keys(app.published).every((environment) => environment === from);
  const holder = world.workers.find(({ environment, isHost }) => environment === from && isHost);
  if (!isAlone || !holder || app.provision !== 'none' || holder.host.running.get(name)?.uid !== app.uid) return null;
  const processes = [holder, ...world.supervisors.flatMap(({ process }) => process ?? [])];
  const since = Math.max(redisWellSince(world), ...processes.map(processWellSince));
  const isShown = holder.part.controller?.apps.entry(name)?.status === 'running' && !holder.host.ending.has(name);
  return isShown && world.scheduler.now - since > WELL_FOR ? from : null;
}

/** Somebody has asked for such a move. */
export function noteMove(world: World, from: string, to: string, { appUid, generation }: Operation): void {
  const known = moves.get(world) ?? new Map<string, Move>();
  moves.set(world, known.set(appUid, { from, to, generation }));
  world.ground.copied.delete(`${appUid} ${to}`);
}

/** An app boots. */
export function checkUploads(world: World, environment: string, { uid, name }: AppRecord): void {
  const move = moves.get(world)?.get(uid);
  if (!move) return;
  moves.get(world)?.delete(uid);
  const isNewest = rows<Operation>(world, 'appOperations').every(
    (one) => one.appUid !== uid || one.generation <= move.generation,
  );
  const source = world.workers.find((worker) => worker.environment === move.from && worker.isHost);
  const isGiven = source && world.scheduler.now - processWellSince(source) > WELL_FOR;
  if (move.to !== environment || !isNewest || !isGiven || world.ground.copied.has(`${uid} ${environment}`)) return;
  world.violate(`${name} starts in ${environment}, without what it has of uploads in ${move.from}`);
}
