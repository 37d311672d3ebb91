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

/** The address with another query; what is as always is left out, and what is of no query stays. */
export function withAppsQuery(params: URLSearchParams, query: AppsQuery): URLSearchParams {
  const first: Partial<AppsQuery> = { text: '', page: 1, pageSize: PAGE_SIZE };
  const next = new URLSearchParams(params);
  for (const [key, value] of Object.entries({ ...appsQueryOf(params), ...query })) {
    const text = value === first[key as keyof AppsQuery] ? '' : String(value ?? '');
    if (text) next.set(key, text);
    else next.delete(key);
  }
  return next;
}
