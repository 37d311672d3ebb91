import type { InstanceConfig } from '../fleet/config';

type Part = InstanceConfig['part'];

export interface Concerned {
  /** The processes that run code that may have changed. */
  parts: Part[];
  /** Whether tables changed: then an instance has to upgrade its database when it starts. */
  upgrade: boolean;
}

/** A process serves the bundles of these, but does not run their code. */
const PAGES = /^(ui|client|client-v2|locale)\//;
const TABLES = /^server\/(core\/collections|migrations)\//;

/** The two do not import each other, see .dependency-cruiser.cjs. */
const WINGS: Array<[RegExp, Part[]]> = [
  [PAGES, []],
  [/^server\/supervisor\//, ['supervisor', 'local']],
  [/^server\/worker\//, ['worker', 'local']],
  [/^/, ['supervisor', 'worker', 'local']],
];

/** @param changed files below `src` */
export function concernedBy(changed: string[]): Concerned {
  const parts = changed.flatMap((file) => WINGS.find(([wing]) => wing.test(file))![1]);
  return { parts: [...new Set(parts)], upgrade: changed.some((file) => TABLES.test(file)) };
}
