import { firstAttempts, laterAttempts, ofFormerApps } from './by-administrators';
import { bodies } from './by-bodies';
import { byDoor } from './by-door';
import { links } from './by-links';
import { byNodes } from './by-nodes';
import { byOperators } from './by-operators';
import { forgeries } from './by-redis';
import { bySurfaces } from './by-surfaces';
import { longOnes, tokensElsewhere, visits } from './by-visitors';
import { byWorkers } from './by-workers';
import { heldBefore } from './held';
import type { Stage } from './stage';

export interface Attack {
  /** What it was called when it was found, or `held` if it did not get through then. */
  finding: string;
  title: string;
  /** @returns what got through, one sentence each */
  run(stage: Stage): Promise<string[]>;
}

/** All of them. `npm test` tries the first twenty, `npm run attack` and `npm run test:long` all. */
export const ATTACKS: Attack[] = [
  ...tokensElsewhere,
  ...firstAttempts,
  ...visits,
  ...forgeries.slice(0, 2),
  ...heldBefore.slice(0, 2),
  ...forgeries.slice(2),
  ...heldBefore.slice(2),
  ...laterAttempts,
  ...ofFormerApps,
  ...byOperators,
  ...longOnes,
  ...bodies,
  ...byNodes,
  ...links,
  ...bySurfaces,
  ...byWorkers,
  ...byDoor,
];
/** What these do not try, and what tries it instead. */
export const NOT_TRIED = [
  'how long visitors of other apps wait meanwhile: npm run attack -- --denial, long/denial',
  'a script, a frame and a window in a real browser: long/browser.sso.apps, long/browser.origins',
  'a container engine, and what an image is started with: unit/containers.docker, docker/driver, docker/compose, docker/kubernetes',
  'MySQL, MariaDB, SQLite and KingbaseES: integration/databases.roles, integration/databases.mariadb, unit/guards.files',
  'Redis with Sentinel or TLS, and Valkey: integration/redis, integration/stores',
  'processes that are frozen, cut off or killed: faults, chaos',
  'code that never ends in a plugin, and what the watchdog does: long/loop, faults/loop-watch',
  'code in the process of a Worker beyond its keys: memory, files and the database role that Workers share (docs/threat-model.md)',
  'the node dynamic calculation, whose plugin an app has to enable: it evaluates what calculation does (docs/threat-model.md, E2)',
  'plugins that NocoBase does not ship, and a proxy or network policy of your own',
];

/** Whether it is about what only a fleet with a door has. */
export const needsDoor = ({ finding }: Attack): boolean => finding === 'door';

export const FIRST = ATTACKS.slice(0, 20);
