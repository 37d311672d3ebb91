import type { CollectionOptions } from '@nocobase/database';
import { type Fields, keysIn, type Type } from '../../../shared/fields';

/** The columns of a table, from the declaration of its fields. */
export const columnsOf = (fields: Fields): NonNullable<CollectionOptions['fields']> =>
  keysIn(fields, 'table')
    // NocoBase creates and writes these itself.
    .filter((name) => fields[name].type.kind !== 'timestamp')
    .map((name) => {
      const { type, column, default: defaultValue } = fields[name];
      return { name, type: columnType(type), ...column, ...(defaultValue === undefined ? {} : { defaultValue }) };
    });

function columnType(type: Type): 'string' | 'text' | 'boolean' | 'integer' | 'bigInt' | 'float' | 'json' {
  switch (type.kind) {
    case 'text':
      return type.long ? 'text' : 'string';
    case 'choice':
      return 'string';
    case 'flag':
      return 'boolean';
    case 'integer':
    case 'bigInt':
      return type.kind;
    case 'number':
      return 'float';
    // As JSON; releases before 0.2.0 wrote sentences.
    case 'message':
      return 'text';
    default:
      return 'json';
  }
}
