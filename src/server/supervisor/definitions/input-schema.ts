import { z } from 'zod';
import { type Fields, isRequired, keysIn, type Place, type Type } from '../../../shared/fields';
import type { InputCode } from '../../../shared/message';
import { RESERVED_APP_NAMES } from '../../../shared/names';
import { schemaOf } from '../../../shared/schema';
import { isHost } from '../../databases/connection';

type Limited<K extends Type['kind']> = Extract<Type, { kind: K }>;

/** Checks that are more than a pattern, by the code of their error. */
const CHECKS: Partial<Record<InputCode, (value: string) => boolean>> = {
  INPUT_NAME_RESERVED: (value) => !RESERVED_APP_NAMES.has(value.toLowerCase()),
  INPUT_HOST: (value) => value === '' || isHost(value),
};

/** The zod schema of user input: all limits of the declaration apply. The text of an issue is a code (`INPUT_…`). */
export function inputOf<T>(type: Type<T>): z.ZodType<T> {
  const bare = bareInputOf(type);
  // An empty string in a form means "none".
  const schema = type.nullable ? z.preprocess((value) => (value === '' ? null : value), bare.nullable()) : bare;
  return (type.optional ? schema.optional() : schema) as unknown as z.ZodType<T>;
}

function bareInputOf(type: Type): z.ZodType {
  switch (type.kind) {
    case 'text':
      return textInput(type);
    case 'number':
    case 'integer':
    case 'bigInt':
      return numberInput(type);
    case 'list':
      return listInput(type);
    case 'map':
      return z.record(z.string(), inputOf(type.of));
    case 'object':
      return z.strictObject(
        Object.fromEntries(Object.entries(type.parts).map(([name, part]) => [name, inputOf(part)])),
      );
    default:
      return schemaOf({ ...type, nullable: undefined, optional: undefined });
  }
}

function textInput({ trim, lower, min, max, pattern, oneOf, orEmpty, check }: Limited<'text'>): z.ZodType {
  if (oneOf) return z.enum(oneOf as readonly [string]);
  let schema = z.string();
  if (trim) schema = schema.trim();
  if (lower) schema = schema.toLowerCase();
  if (min) schema = schema.min(...min);
  if (max) schema = schema.max(...max);
  if (pattern) schema = schema.regex(...pattern);
  if (orEmpty) return schema.or(z.literal(''));
  return check ? schema.refine((value) => CHECKS[check]?.(value), check) : schema;
}

function numberInput({ kind, min, max, fromText }: Limited<'number' | 'integer' | 'bigInt'>): z.ZodType {
  let schema: z.ZodNumber = fromText ? z.coerce.number() : z.number();
  if (kind !== 'number') schema = schema.int();
  if (min) schema = schema.min(...min);
  if (max) schema = schema.max(...max);
  return schema;
}

function listInput({ of, min, max, unique }: Limited<'list'>): z.ZodType {
  let schema = z.array(inputOf(of));
  if (min) schema = schema.min(...min);
  if (max) schema = schema.max(...max);
  return unique ? schema.refine((value) => new Set(value).size === value.length, unique) : schema;
}

/** The schemas of the parameters of an action. For a new object, fields without a default are required. */
export const inputsIn = (fields: Fields, place: Extract<Place, 'create' | 'update'>): Record<string, z.ZodType> =>
  Object.fromEntries(
    keysIn(fields, place).map((key) => {
      const schema = inputOf(fields[key].type);
      return [key, place === 'create' && isRequired(fields[key]) ? schema : schema.optional()];
    }),
  );
