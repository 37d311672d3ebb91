import type { EventRow, SettingChange } from '../../../shared/event';
import { inEnglish } from '../../errors';

/** Events as a table for spreadsheets (RFC 4180). */

/** A spreadsheet takes a cell that begins like this for a formula, which may run programs or send what is beside it. */
const FORMULA = /^[\s]*[=+\-@|%]|^[\t\r\n]/;

export function csvCell(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  const safe = typeof value === 'string' && FORMULA.test(text) ? `'${text}` : text;
  return /["\r\n,;\t]/.test(safe) || safe !== text ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const iso = (at: number | null): string => (at === null ? '' : new Date(at).toISOString());

const changeText = ({ field, before, after, isSecret }: SettingChange): string =>
  isSecret ? `${field}: ***` : `${field}: ${before ?? ''} → ${after ?? ''}`;

type Column = [name: string, value: (row: EventRow) => string | null];

const COLUMNS: Column[] = [
  ['at', (row) => iso(row.at)],
  ['endedAt', (row) => iso(row.endedAt)],
  ['kind', (row) => row.kind],
  ['app', (row) => row.appName],
  ['environment', (row) => row.environment],
  ['createdBy', (row) => row.createdBy],
  ['code', (row) => row.message.code],
  ['message', (row) => inEnglish(row.message)],
  ['cause', (row) => row.cause && inEnglish(row.cause)],
  ['changes', (row) => row.changes?.map(changeText).join('\n') ?? null],
  ['operation', (row) => row.operationId],
  ['operationState', (row) => row.operation?.state ?? null],
];

/**
 * With texts in English.
 * @returns lines that end with CR LF, after the mark by which spreadsheets recognize UTF-8
 */
export function eventsCsv(rows: readonly EventRow[]): string {
  const lines = rows.map((row) => COLUMNS.map(([, value]) => csvCell(value(row))).join(','));
  return `\uFEFF${[COLUMNS.map(([name]) => name).join(','), ...lines].join('\r\n')}\r\n`;
}
