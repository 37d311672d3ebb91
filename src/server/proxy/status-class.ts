const CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** `2xx` for 200, as the metrics group answers. */
export function statusClass(status: number): string {
  return CLASSES[(status / 100) | 0] ?? 'xxx';
}
