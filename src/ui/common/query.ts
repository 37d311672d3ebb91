export interface AppsQuery {
  text: string;
  environment?: string;
  status?: string;
  /** A field, with `-` before it for descending. */
  sort?: string;
  page: number;
  pageSize: number;
}

export function appsFilter({ text, environment, status }: Pick<AppsQuery, 'text' | 'environment' | 'status'>) {
  return {
    ...(text.trim() && { $or: [{ title: { $includes: text.trim() } }, { name: { $includes: text.trim() } }] }),
    ...(environment && { environment }),
    ...(status && { status }),
  };
}
