import { fileURLToPath } from 'node:url';

/** Absolute path of the repository, wherever a script was started from. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
