import type { InputCode, Message } from './message';

/**
 * How a stored, sent and shown object declares its fields once (app.ts, environment.ts, operation.ts, event.ts). A declaration is
 * plain data, because the pages read it too and must not load a library for it. The server builds its zod schemas from
 * it (schema.ts, supervisor/definitions/input-schema.ts), and TypeScript derives the types.
 */

/** Limits for user input. Rows and messages may be older than a limit, so only `strict` limits apply to them. */
interface Limits {
  min?: readonly [number, InputCode?];
  max?: readonly [number, InputCode?];
  /** For identifiers: applies to rows and messages as well. */
  strict?: true;
}

interface TextLimits extends Limits {
  trim?: true;
  lower?: true;
  pattern?: readonly [RegExp, InputCode];
  oneOf?: readonly string[];
  /** An empty text is accepted, whatever the pattern says. */
  orEmpty?: true;
  /** Checked by the function of that name in supervisor/definitions/input-schema.ts. */
  check?: InputCode;
  /** Its column has no limit of 255 characters. */
  long?: true;
}

interface NumberLimits extends Limits {
  /** A text that contains a number is accepted as one. */
  fromText?: true;
}

interface ListLimits extends Limits {
  unique?: InputCode;
}

export type Shape =
  | ({ kind: 'text' } & TextLimits)
  | { kind: 'flag' }
  | ({ kind: 'number' | 'integer' | 'bigInt' } & NumberLimits)
  /** When a row was created or changed: a column that NocoBase writes. */
  | { kind: 'timestamp' }
  | { kind: 'choice'; values: readonly string[] }
  | ({ kind: 'list'; of: Type } & ListLimits)
  | { kind: 'map'; of: Type; keys?: readonly string[] }
  | { kind: 'object'; parts: Parts }
  /** A message of the server for people. */
  | { kind: 'message' }
  | { kind: 'anything' };

/**
 * The permission that a change of a value needs, besides that of the action (supervisor/definitions/permissions.ts).
 * - `security`: always
 * - `securityWithSso`: where users of the main app are signed in, since it decides who is, or where they are sent
 */
export type Need = 'security' | 'securityWithSso';

declare const VALUE: unique symbol;

/** A type of value; the values are `T` in TypeScript. */
export type Type<T = any> = Shape & {
  nullable?: true;
  optional?: true;
  /** Its value in a message that lacks it. */
  absent?: unknown;
  needs?: Need;
  readonly [VALUE]: T;
};
export type ValueOf<X> = X extends { readonly [VALUE]: infer T } ? T : never;

type Parts = Record<string, Type>;
type OptionalKeys<P extends Parts> = { [K in keyof P]: P[K] extends { optional: true } ? K : never }[keyof P];
type ObjectOf<P extends Parts> = { [K in Exclude<keyof P, OptionalKeys<P>>]: ValueOf<P[K]> } & {
  [K in OptionalKeys<P>]?: ValueOf<P[K]>;
} extends infer O
  ? { [K in keyof O]: O[K] }
  : never;

const type = <T>(shape: Shape) => shape as Type<T>;

export const text = (limits: TextLimits = {}) => type<string>({ kind: 'text', ...limits });
export const flag = () => type<boolean>({ kind: 'flag' });
export const number = () => type<number>({ kind: 'number' });
export const integer = (limits: NumberLimits = {}) => type<number>({ kind: 'integer', ...limits });
/** Times in ms, and numbers derived from them. */
export const bigInt = (limits: NumberLimits = {}) => type<number>({ kind: 'bigInt', ...limits });
export const timestamp = () => type<number>({ kind: 'timestamp' });
export const choice = <const V extends string>(values: readonly V[]) => type<V>({ kind: 'choice', values });
export const list = <T>(of: Type<T>, limits: ListLimits = {}) => type<T[]>({ kind: 'list', of, ...limits });
export const map = <T>(of: Type<T>) => type<Record<string, T>>({ kind: 'map', of });
export const mapOf = <K extends string, T>(keys: readonly K[], of: Type<T>) =>
  type<Partial<Record<K, T>>>({ kind: 'map', of, keys });
export const object = <P extends Parts>(parts: P) => type<ObjectOf<P>>({ kind: 'object', parts });
export const message = () => type<Message>({ kind: 'message' });
export const anything = () => type<unknown>({ kind: 'anything' });

export const orNull = <T>(of: Type<T>) => ({ ...of, nullable: true }) as Type<T | null> & { nullable: true };
/** A field of an object that may be absent. */
export const optional = <T>(of: Type<T>) => ({ ...of, optional: true }) as Type<T> & { optional: true };

/** A value that not everybody may change who may change the object. */
export const needing = <T extends Type>(needs: Need, of: T): T => ({ ...of, needs });

/**
 * Where a field is used.
 * - `create`, `update`: parameters of the HTTP API; `form`: fields of the form
 * - `table`: a column, and so part of what is read from it; `save`: written again whenever it changes
 * - `record`, `index`, `registration`: messages between the Supervisor and its Workers
 * - `row`: answers of the HTTP API; `sort`, `filter`: fields by which its lists can be sorted and filtered
 */
export type Place =
  | 'create'
  | 'update'
  | 'form'
  | 'table'
  | 'save'
  | 'record'
  | 'index'
  | 'registration'
  | 'row'
  | 'sort'
  | 'filter';

export interface Field {
  type: Type;
  /** Type in the row, if it differs. */
  rowType?: Type;
  in: readonly Place[];
  /** Value for a new object that does not name the field; also the column's default. */
  default?: unknown;
  /** If omitted, the Supervisor generates it. */
  generated?: true;
  /** The release that added it. Data of older releases lacks it, and is read as having the default. */
  since?: string;
  column?: { primaryKey?: true; unique?: true; index?: true; hidden?: true };
}

export type Fields = Record<string, Field>;

type KeysIn<F extends Fields, P extends Place> = {
  [K in keyof F]: P extends F[K]['in'][number] ? K : never;
}[keyof F] &
  string;

type TypeIn<F extends Field, P extends Place> = P extends 'row'
  ? F extends { rowType: infer T }
    ? T
    : F['type']
  : F['type'];

/** Values of all fields of a place. */
export type In<F extends Fields, P extends Place> = { [K in KeysIn<F, P>]: ValueOf<TypeIn<F[K], P>> };

/** Fields that may be omitted for a new object. */
type Omittable<F extends Fields> = {
  [K in keyof F]: F[K] extends { default: unknown } ? K : null extends ValueOf<F[K]['type']> ? K : never;
}[keyof F];

/** The input that creates an object. Generated fields exist once the input is parsed. */
export type NewIn<F extends Fields, P extends Place = 'create'> = Omit<In<F, P>, Omittable<F>> &
  Partial<Pick<In<F, P>, Extract<Omittable<F>, KeysIn<F, P>>>>;

type Blank<F extends Fields> = {
  [K in keyof F]: F[K] extends { generated: true } ? K : null extends ValueOf<F[K]['type']> ? K : never;
}[keyof F];

/** The values of a form; empty fields are undefined. */
export type FormIn<F extends Fields> = Omit<In<F, 'form'>, Blank<F>> & {
  [K in Extract<Blank<F>, KeysIn<F, 'form'>>]?: ValueOf<F[K]['type']>;
};

export const keysIn = <F extends Fields, P extends Place>(fields: F, place: P): KeysIn<F, P>[] =>
  Object.keys(fields).filter((key) => fields[key].in.includes(place)) as KeysIn<F, P>[];

/** The fields of a place, as an object type. */
export const objectIn = <F extends Fields, P extends Place>(fields: F, place: P): Type<In<F, P>> =>
  type({
    kind: 'object',
    parts: Object.fromEntries(keysIn(fields, place).map((key) => [key, typeIn(fields[key], place)])),
  });

function typeIn(field: Field, place: Place): Type {
  if (place === 'row') return field.rowType ?? field.type;
  return field.since ? { ...field.type, absent: defaultOf(field) } : field.type;
}

/** An object type with the fields of both. */
export const joined = <A, B>(a: Type<A>, b: Type<B>): Type<A & B> =>
  type({ kind: 'object', parts: { ...partsOf(a), ...partsOf(b) } });

const partsOf = (of: Type): Parts => (of.kind === 'object' ? of.parts : {});

/** The values that belong to a place, in the order of the declaration. */
export function pickIn<F extends Fields, P extends Place, V extends Partial<In<F, P>>>(
  fields: F,
  place: P,
  values: V,
): Pick<V, keyof V & KeysIn<F, P>> {
  const given = values as Record<string, unknown>;
  const keys = keysIn(fields, place).filter((key) => given[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, given[key]])) as Pick<V, keyof V & KeysIn<F, P>>;
}

/** Whether the field is required for a new object. */
export const isRequired = ({ type, generated, ...field }: Field): boolean =>
  !generated && !type.nullable && !('default' in field);

/** The value of a field that was not named: its default, or nothing. */
export const defaultOf = (field: Field): unknown =>
  field.default === undefined ? null : structuredClone(field.default);

/** The values of a place, with defaults for those that are absent. */
export function defaultsIn<F extends Fields, P extends Place>(
  fields: F,
  place: P,
): Pick<In<F, P>, Extract<Omittable<F>, KeysIn<F, P>>> {
  const keys = keysIn(fields, place).filter((key) => 'default' in fields[key] || fields[key].type.nullable);
  return Object.fromEntries(keys.map((key) => [key, defaultOf(fields[key])])) as ReturnType<typeof defaultsIn<F, P>>;
}

/** The values of a place, with defaults for those that are absent. */
export const completeIn = <F extends Fields, P extends Place>(fields: F, place: P, values: NewIn<F, P>): In<F, P> =>
  ({ ...defaultsIn(fields, place), ...pickIn(fields, place, values as Partial<In<F, P>>) }) as In<F, P>;

/** A row of the table as code reads it: numbers are numbers, and what an older release did not write has its default. */
export const fromTable = <F extends Fields>(fields: F, row: object): In<F, 'table'> =>
  Object.fromEntries(
    keysIn(fields, 'table').map((key) => {
      const value = (row as Record<string, unknown>)[key] ?? defaultOf(fields[key]);
      return [key, value === null ? null : read(fields[key].type, value)];
    }),
  ) as In<F, 'table'>;

/** Databases answer big numbers as texts, and times as dates. */
function read({ kind }: Type, value: unknown): unknown {
  if (kind === 'bigInt' || kind === 'integer') return Number(value);
  return kind === 'timestamp' ? new Date(value as string).getTime() : value;
}
