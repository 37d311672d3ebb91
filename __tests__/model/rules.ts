/**
 * The rules of the models. A search without one has to find something; where two guard the same, a search without both. Others are not here
 * that the models follow, too: without them nothing goes wrong for the data, but an app runs twice or late.
 */
export const RULES = {
  fence: 'A connection reads its row.',
  markFirst: 'A connection is marked before it reads its row.',
  endsSessions: 'A claim ends the sessions of others.',
  transaction: 'A claim reads and writes in one transaction, in the session of the boot lock.',
  takes: 'A claim writes of other environments that the app has left them.',
  left: 'It does so of one that has left and has no row.',
  ownGeneration: 'A claim is refused if the environment has a newer row.',
  otherGeneration: 'A claim is refused if another environment has a newer row.',
  term: 'A claim is refused if the row has a newer term.',
  confirm: 'A boot asks the main database whether its process holds the environment.',
  termClock: 'A term is not below the time at which it begins.',
  removalWaits: 'A removal is confirmed when the sessions of the environment have ended.',
  dropMark: 'Who creates or drops ends sessions that are about to drop.',
  above: 'What a Worker knows that is newer is published anew, above it.',
  oneSequence: 'No two publications have the same generation.',
  clock: 'A generation is not below the time of its publication.',
  returns: 'A move returns whose boot fails.',
  once: 'It returns once.',
  sqlTerm: 'Nothing is written to the database by a leader whose term is over.',
  condition: 'A hash is written only if it has the count that its writer left.',
  newLeaderCompares: 'A new leader compares the hash.',
  looks: 'A leader compares the hash where it has another count.',
  sameCount: 'What an older copy of the hash lacks is written with the same count only if that is what was left.',
} as const;

export type Rule = keyof typeof RULES;
/** The rules that are left out. */
export type Omitted = Partial<Record<Rule, true>>;
