/** What the list of apps shows, as it is in the page's address. */
export interface AppsQuery {
  text: string;
  environment?: string;
  /** An app has one of them. */
  status?: string[];
  /** An app has all of them. */
  label?: string[];
  /** A field, with `-` before it for descending. */
  sort?: string;
  page: number;
  pageSize: number;
}

export type AppsFilter = Pick<AppsQuery, 'text' | 'environment' | 'status' | 'label'>;

export function appsFilter({ text, environment, status, label = [] }: AppsFilter) {
  return {
    ...(text.trim() && { search: text.trim() }),
    ...(environment && { environment }),
    ...(status?.length && { status }),
    ...(label.length > 0 && { $and: label.map((each) => ({ label: each })) }),
  };
}

const PAGE_SIZE = 20;
const whole = (value: string | null, fallback: number): number => {
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : fallback;
};

/** Reads an address. What is not understood is left out. */
export const appsQueryOf = (params: URLSearchParams): AppsQuery => ({
  text: params.get('text') ?? '',
  environment: params.get('environment') || undefined,
  status: params.get('status')?.split(',').filter(Boolean),
  label: params.get('label')?.split(',').filter(Boolean),
  sort: params.get('sort') || undefined,
  page: whole(params.get('page'), 1),
  pageSize: whole(params.get('pageSize'), PAGE_SIZE),
});

/** A change of what the list shows, or what it becomes of what the address has at that moment. */
export type AppsChange = Partial<AppsQuery> | ((now: AppsQuery) => Partial<AppsQuery>);

/** The address with a changed query; what is as always is left out, and what is of no query stays. */
export function withAppsQuery(params: URLSearchParams, change: AppsChange): URLSearchParams {
  const first: Partial<AppsQuery> = { text: '', page: 1, pageSize: PAGE_SIZE };
  const next = new URLSearchParams(params);
  const now = appsQueryOf(params);
  for (const [key, value] of Object.entries({ ...now, ...(typeof change === 'function' ? change(now) : change) })) {
    const text = value === first[key as keyof AppsQuery] ? '' : String(value ?? '');
    if (text) next.set(key, text);
    else next.delete(key);
  }
  return next;
}

/**
 * What several choices become when a field that showed `shown` changes to `next`. What was added and removed there is added to and
 * removed from `now`: a second choice made before the field shows the first one does not undo it.
 */
export const changedChoices = (now: readonly string[], shown: readonly string[], next: readonly string[]): string[] => [
  ...now.filter((each) => next.includes(each) || !shown.includes(each)),
  ...next.filter((each) => !shown.includes(each) && !now.includes(each)),
];
