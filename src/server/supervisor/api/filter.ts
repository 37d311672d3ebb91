import type { Context, Next } from '@nocobase/actions';
import type { Filter } from '@nocobase/database';
import { z } from 'zod';
import { type Fields, keysIn, type Type } from '../../../shared/fields';
import { type Message, say } from '../../../shared/message';
import { AppSupervisorError, answerOf } from '../../errors';

/**
 * The filters of lists, in NocoBase's form. What the database would refuse is refused here: its error would be answered with 500,
 * and with its own text.
 */

type Kind = 'text' | 'number' | 'flag' | 'time';

const KINDS: Partial<Record<Type['kind'], Kind>> = {
  number: 'number',
  integer: 'number',
  bigInt: 'number',
  flag: 'flag',
  timestamp: 'time',
};
const kindOf = ({ kind }: Type): Kind => KINDS[kind] ?? 'text';

const isTime = (value: string) => !Number.isNaN(new Date(value).getTime());
/** In a parameter of the address, a number is a text. */
const number = z.union([z.number(), z.string().regex(/^-?\d{1,15}$/)]).transform(Number);

const date = z
  .string()
  .regex(/^\d{4}\b/)
  .refine(isTime);

/** A value to compare with. PostgreSQL has no text with a zero byte. */
const VALUE: Record<Kind, z.ZodType> = {
  text: z.union([z.string().regex(/^[^\0]*$/), z.number().transform(String)]),
  number: number.refine(Number.isSafeInteger),
  flag: z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')]),
  time: z.union([date, z.number().refine((at) => Math.abs(at) < 8e12)]),
};

const nullable = (kind: Kind) => VALUE[kind].nullable();
const some = (of: z.ZodType) => z.union([of, z.array(of)]);
/** A backslash would escape the end of the pattern. */
const pattern = VALUE.text.refine((value) => !String(value).endsWith('\\'));

const TEXT = ['$includes', '$notIncludes', '$startsWith', '$notStartsWith', '$endWith', '$notEndWith'];
const DATES = ['$dateOn', '$dateNotOn', '$dateBefore', '$dateNotBefore', '$dateAfter', '$dateNotAfter'];

const each = (names: string[], operand: z.ZodType) => Object.fromEntries(names.map((name) => [name, operand]));

/** The operators of a kind of field, with what they take. Whether a value is empty is asked with any operand. */
const operatorsOf = (kind: Kind): Record<string, z.ZodType> => ({
  ...each(['$eq', '$ne'], some(nullable(kind))),
  ...each(
    ['$in', '$notIn'],
    some(nullable(kind)).transform((values) => [values].flat()),
  ),
  ...each(['$is', '$not'], z.null()),
  ...each(['$empty', '$notEmpty'], z.unknown()),
  ...(kind === 'text' && { ...each(TEXT, some(pattern)), ...each(['$like', '$notLike'], pattern) }),
  ...(kind === 'flag' && each(['$isTruly', '$isFalsy'], z.unknown())),
  ...((kind === 'number' || kind === 'time') && {
    ...each(['$gt', '$gte', '$lt', '$lte'], VALUE[kind]),
    ...each(['$between', '$notBetween'], z.tuple([VALUE[kind], VALUE[kind]])),
  }),
  ...(kind === 'time' && { ...each(DATES, date), $dateBetween: z.tuple([date, date]) }),
});

const comparison = (kind: Kind) =>
  z
    .strictObject(operatorsOf(kind))
    .partial()
    .refine((operators) => Object.keys(operators).length > 0);

const CONDITION = Object.fromEntries(
  (['text', 'number', 'flag', 'time'] as const).map((kind) => [
    kind,
    z.union([some(nullable(kind)), comparison(kind)]),
  ]),
) as unknown as Record<Kind, z.ZodType>;

const refusal = (problem: Message) => new AppSupervisorError('INVALID_INPUT', { problem }, 'filter');
const refuse = (problem: Message): never => {
  throw refusal(problem);
};

/** The core answers nothing, with 200, to a filter that is no JSON. Installed around it. */
export function refuseUnreadable(resources: string[]) {
  return async function refuseUnreadable(ctx: Context, next: Next) {
    await next();
    const { filter } = ctx.query;
    if (typeof filter !== 'string' || !resources.includes(ctx.action?.resourceName) || isJson(filter)) return;
    const error = refusal(say('INPUT_FILTER_FORM'));
    ctx.withoutDataWrapping = true;
    ctx.status = error.status;
    ctx.body = answerOf(error);
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A `filter` on allowed fields only: anyone who may ask whether a secret starts with a letter can find it out, letter
 * by letter.
 * @param fields of the table
 * @param allowed by default those by which its lists can be sorted or filtered
 * @throws AppSupervisorError INVALID_INPUT
 */
export function filtering(
  filter: unknown,
  fields: Fields,
  allowed: readonly string[] = [...keysIn(fields, 'sort'), ...keysIn(fields, 'filter')],
): Filter {
  const group = (part: unknown): Record<string, unknown> => {
    if (!part || typeof part !== 'object' || Array.isArray(part)) return refuse(say('INPUT_FILTER_FORM'));
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, member(key, value)]));
  };
  const member = (key: string, value: unknown): unknown => {
    if (key === '$not') return group(value);
    if (key === '$and' || key === '$or') return Array.isArray(value) ? value.map(group) : group(value);
    // As NocoBase reads it, too: `{'title.$includes': 'CRM'}`.
    const [name, operator, ...rest] = key.split('.');
    if (!allowed.includes(name)) refuse(say('INPUT_FILTER_FIELD', { field: name, allowed: allowed.join(', ') }));
    const kind = kindOf(fields[name].type);
    const schema = operator === undefined ? CONDITION[kind] : rest.length ? z.never() : operatorsOf(kind)[operator];
    const parsed = (schema ?? z.never()).safeParse(value);
    return parsed.success ? parsed.data : refuse(say('INPUT_FILTER_VALUE', { field: name, kind }));
  };
  return (filter === undefined || filter === null ? {} : group(filter)) as Filter;
}
