import type { AppRow } from '../../shared/types';
import type { Translate } from '../host';

/** Describes the database of an app. */
export function databasePlace(t: Translate, app: Pick<AppRow, 'options'>): string {
  const { database = {}, dbConnType } = app.options;
  const parts = [
    database.database && t('database "{{name}}"', { name: database.database }),
    database.schema && t('schema "{{name}}"', { name: database.schema }),
    database.tablePrefix && t('tables "{{name}}…"', { name: database.tablePrefix }),
    dbConnType === 'new_connection' &&
      database.host &&
      t('on {{server}}', { server: [database.host, database.port].filter(Boolean).join(':') }),
  ].filter(Boolean);
  return parts.length ? parts.join(t(', ')) : t('the database of this app does not change');
}
