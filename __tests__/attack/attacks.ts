import { firstAttempts, laterAttempts, ofFormerApps } from './by-administrators';
import { bodies } from './by-bodies';
import { links } from './by-links';
import { byNodes } from './by-nodes';
import { byOperators } from './by-operators';
import { forgeries } from './by-redis';
import { longOnes, tokensElsewhere, visits } from './by-visitors';
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
];
export const FIRST = ATTACKS.slice(0, 20);
