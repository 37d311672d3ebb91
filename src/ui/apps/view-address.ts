import type { ViewRow } from '../../shared/view';
import { OPTIONAL_COLUMNS } from './optional-columns';

/** Parameters of the list's address that a view keeps: not which page is shown, and not which app is open. */
const KEPT = ['text', 'environment', 'status', 'label', 'sort', 'pageSize', 'columns'];

/** Stands for no column: an empty parameter would be left out. */
const NO_COLUMN = '-';
const columnsParam = (columns: readonly string[]): string =>
  Object.keys(OPTIONAL_COLUMNS)
    .filter((name) => columns.includes(name))
    .join(',') || NO_COLUMN;

/** The optional columns that an address asks for; null if it leaves them to the user. What is unknown is left out. */
export const columnsOfParam = (columns: string | null): string[] | null =>
  columns === null ? null : columns.split(',').filter((name) => name in OPTIONAL_COLUMNS);

export function withColumns(params: URLSearchParams, columns: readonly string[]): URLSearchParams {
  const next = new URLSearchParams(params);
  next.set('columns', columnsParam(columns));
  return next;
}

/** What the list shows, as a view keeps it. @param columns the optional ones that are shown */
export function viewAddress(params: URLSearchParams, columns: readonly string[]): string {
  const all = withColumns(params, columns);
  return new URLSearchParams(KEPT.flatMap((key) => (all.get(key) ? [[key, all.get(key)!]] : []))).toString();
}

/** Whether an address has more of a view than its id. */
export const isExpanded = (params: URLSearchParams): boolean => KEPT.some((key) => params.has(key));

/** The address with a view in the place of what it showed; null: with all apps. */
export function withView(params: URLSearchParams, view: ViewRow | null): URLSearchParams {
  const others = [...params].filter(([key]) => ![...KEPT, 'page', 'view'].includes(key));
  const shown = view ? [['view', view.id], ...new URLSearchParams(view.address)] : [];
  return new URLSearchParams([...others, ...shown]);
}
