import type { Omitted } from './rules';

/** What a process writes into an app's database to host the app, as the models have it: two environments, and one app. */

export interface Row {
  /** The process, 0 for none. */
  holder: number;
  term: number;
  generation: number;
  isGone: boolean;
}

/** What a record says of the other environment. */
export interface Wish {
  generation: number;
  otherMayHost: boolean;
  otherHasLeft: boolean;
}

export interface Me {
  holder: number;
  term: number;
}

export type Verdict = { own: Row; other: Row | null } | { newest: number } | { above: number };

/** Whether a process may host by a record, and what becomes of the rows. */
export function claim(own: Row | null, other: Row | null, wish: Wish, me: Me, without: Omitted = {}): Verdict {
  const { generation, otherMayHost } = wish;
  const isNewer = own && (own.isGone ? own.generation >= generation : own.generation > generation);
  if (own && isNewer && !without.ownGeneration) return { newest: own.generation };
  const isOthers = other && !other.isGone && !otherMayHost && other.generation > generation;
  if (isOthers && !without.otherGeneration) return { newest: other.generation };
  if (own && own.term > me.term && own.holder !== me.holder && !without.term) return { above: own.term };
  return {
    own: { ...me, generation, isGone: false },
    other: otherMayHost || without.takes ? other : leftRow(other, wish, without),
  };
}

function leftRow(other: Row | null, { generation, otherHasLeft }: Wish, without: Omitted): Row | null {
  if (other) return { ...other, generation: Math.max(other.generation, generation), isGone: true };
  return otherHasLeft && !without.left ? { holder: 0, term: 0, generation, isGone: true } : null;
}

/** What an app writes that leaves an environment; the newest generation if it was claimed there by a newer record. */
export function leave(own: Row | null, generation: number, me: Me): { own: Row } | { newest: number } {
  if (own && !own.isGone && own.generation > generation) return { newest: own.generation };
  const row = own ?? { ...me, generation: 0 };
  return { own: { ...row, generation: Math.max(row.generation, generation), isGone: true } };
}

/** What a new connection finds. */
export function admit(own: Row | null, me: Me): 'own' | 'lost' | 'refused' {
  if (!own) return 'lost';
  if (own.isGone) return 'refused';
  if (own.holder === me.holder) return 'own';
  return own.term < me.term ? 'lost' : 'refused';
}
