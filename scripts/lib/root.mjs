import { fileURLToPath } from 'node:url';

/** Absolute path of the repository, wherever a script was started. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
