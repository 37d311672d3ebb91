import { z } from 'zod';
import type { Type } from './fields';
import { message } from './message-schema';

/** The zod schema of stored and sent data: of the limits it checks only `strict` ones. */
export function schemaOf<T>(type: Type<T>): z.ZodType<T> {
  const bare = bareSchemaOf(type);
  const schema = type.nullable ? bare.nullable() : bare;
  const { absent } = type;
  const complete = absent === undefined ? schema : schema.default(() => structuredClone(absent));
  return (type.optional ? complete.optional() : complete) as unknown as z.ZodType<T>;
}

function bareSchemaOf(type: Type): z.ZodType {
  switch (type.kind) {
    case 'text': {
      if (!type.strict) return z.string();
      const text = type.min ? z.string().min(type.min[0]) : z.string();
      return type.pattern ? text.regex(type.pattern[0]) : text;
    }
    case 'flag':
      return z.boolean();
    case 'number':
      return z.number();
    case 'integer':
    case 'bigInt':
    case 'timestamp': {
      const [min] = (type.kind !== 'timestamp' && type.strict && type.min) || [];
      return min === undefined ? z.number().int() : z.number().int().min(min);
    }
    case 'choice':
      return z.enum(type.values);
    case 'list':
      return z.array(schemaOf(type.of));
    case 'map':
      return type.keys
        ? z.partialRecord(z.enum(type.keys), schemaOf(type.of))
        : z.record(z.string(), schemaOf(type.of));
    case 'object':
      return z.object(Object.fromEntries(Object.entries(type.parts).map(([name, part]) => [name, schemaOf(part)])));
    case 'message':
      return message;
    case 'anything':
      return z.unknown();
  }
}
