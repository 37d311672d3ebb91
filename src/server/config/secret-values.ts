/** Names of variables whose values are secrets. */
const SECRET = /(?:KEY|PASSWORD|SECRET|TOKEN)$/;
/** A shorter value would strike out words of any line. */
const LEAST = 8;

/** The values of variables that no log on a page may show, longest first: one may contain another. */
export const secretsIn = (env: Record<string, string | undefined>): string[] =>
  Object.entries(env)
    .flatMap(([name, value]) => (SECRET.test(name) && value && value.length >= LEAST ? [value] : []))
    .sort((one, other) => other.length - one.length);
