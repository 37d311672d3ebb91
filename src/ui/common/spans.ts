/** How far back what happened is shown, in ms. */
export const SPANS = { '1h': 3_600_000, '24h': 24 * 3_600_000, '7d': 7 * 24 * 3_600_000 } as const;
export type Span = keyof typeof SPANS;
export const spanOf = (value: string | null): Span => (value !== null && value in SPANS ? (value as Span) : '24h');
