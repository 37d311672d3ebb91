import { expect, it } from 'vitest';
import { childrenIn } from '../../scripts/lib/cpu-time.mjs';

it('reads what ended children have taken, whatever the name of the process is', () => {
  const numbers = '1 2 3 0 -1 4194304 100 200 0 0 11 22 1234 566 20 0 7 0';
  for (const name of ['(node)', '(a b) c) d)']) expect(childrenIn(`42 ${name} S ${numbers}`)).toBe(18);
});
