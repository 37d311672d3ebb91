import type { Lack, ListedFile } from '../../protocol/transfer';

/** Some file systems keep times in steps of two seconds. */
const TIME_STEP = 2_000;

export interface TransferFacts {
  /** The environment that receives, and the one that gives. */
  me: string;
  source: string;
  /** What each of the two lacks. */
  mine: readonly Lack[];
  theirs: readonly Lack[];
  /** Files here, by path. */
  local: ReadonlyMap<string, ListedFile>;
  listed: Iterable<ListedFile>;
}

export interface TransferPlan {
  fetch: ListedFile[];
  /** Paths of files here that were deleted where the app ran since: they are set aside. */
  aside: string[];
}

/**
 * What to copy of the files that another environment has of an app. Of two files at one path the newer one wins.
 *
 * - An environment that the app has left, and that has all files, is what counts: what was copied from here before, and is
 *   not there any more, was deleted.
 * - One in which the app started while this one was down has only the files that were made there since; what else is there
 *   is of an earlier time.
 */
export function transferPlan({ me, source, mine, theirs, local, listed }: TransferFacts): TransferPlan {
  const own = lackOf(mine, source);
  const since = needsOnlySince(own, lackOf(theirs, me));
  const isWhole = theirs.length === 0;
  const fetch: ListedFile[] = [];
  const there = new Set<string>();
  for (const file of listed) {
    there.add(file.path);
    if (file.changed >= since && isNewer(file, local.get(file.path))) fetch.push(file);
  }
  const isDeleted = ({ path, changed }: ListedFile) => own !== null && changed < own.since && !there.has(path);
  const aside = isWhole && own?.mirrors ? [...local.values()].filter(isDeleted).map(({ path }) => path) : [];
  return { fetch, aside };
}

/** What an environment lacks when everything that was planned is done. */
export function lacksAfter({ me, source, mine, theirs }: Omit<TransferFacts, 'local' | 'listed'>): Lack[] {
  if (theirs.length === 0) return [];
  const left = [...mine.filter(({ environment }) => environment !== source)];
  for (const lack of theirs) {
    if (lack.environment === me || lackOf(left, lack.environment)) continue;
    // What is lacking there was never copied from here.
    left.push({ ...lack, mirrors: false, isShared: false });
  }
  return left;
}

const lackOf = (lacks: readonly Lack[], environment: string): Lack | null =>
  lacks.find((lack) => lack.environment === environment) ?? null;

/** From when on files of the source are needed; everything that is older is here, unless it was lacking before. */
function needsOnlySince(own: Lack | null, theirs: Lack | null): number {
  if (!theirs || (own && own.since < theirs.since)) return Number.NEGATIVE_INFINITY;
  return theirs.since - TIME_STEP;
}

type Content = Pick<ListedFile, 'size' | 'mtime'>;

/** Whether a file is to take the place of the one that is here. */
export function isNewer(file: Content, local: Content | undefined): boolean {
  if (!local) return true;
  const apart = file.mtime - local.mtime;
  return apart > TIME_STEP || (Math.abs(apart) <= TIME_STEP && file.size !== local.size);
}
