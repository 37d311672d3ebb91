/** As `structuredClone`, of plain data, maps, sets and dates, at a small part of its price. */
export const copyOf = <T>(value: T): T => copied(value) as T;

function copied(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(copied);
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [copied(key), copied(one)]));
  if (value instanceof Set) return new Set([...value].map(copied));
  if (value instanceof Date) return new Date(value);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) copy[name] = copied((value as Record<string, unknown>)[name]);
  return copy;
}
