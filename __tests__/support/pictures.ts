import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/root.mjs';

/** The pictures of docs/architecture.md, which are Mermaid, for tests that compare them with the code. */
const [flow, states] = [
  ...readFileSync(path.join(ROOT, 'docs/architecture.md'), 'utf8').matchAll(/^```mermaid\n(.*?)^```/gms),
].map(([, text]) => text);

/** The transitions between states of a Worker process: `one --> other`. */
export const transitions = (): string[] => [...states.matchAll(/^ +(\S+ --> [^:\s]+)/gm)].map(([, text]) => text);

/** The steps of a part of the way from a request to a running app, in their order. */
export function stepsOf(part: 'rules' | 'steps'): string[] {
  const body = new RegExp(`subgraph ${part}\\[.*?\\n(.*?)^  end`, 'ms').exec(flow)?.[1] ?? '';
  const chain = body.split('\n').flatMap((line) => (line.includes('-->') ? line.trim().split(' --> ') : []));
  // A row of them begins with the one that ended the row before.
  return chain.filter((node) => part === 'rules' || node.includes('"')).map((node) => /"(.*)"/.exec(node)?.[1] ?? node);
}
