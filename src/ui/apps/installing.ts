import type { ShownStatus } from '../../shared/types';

export interface Installing {
  done: number;
  total: number;
}

/** How far the installation of an app is, which NocoBase says in words: `before install plugin [users], 46/78`. */
export function installingOf({ message }: Pick<ShownStatus, 'message'>): Installing | null {
  const text = String(message?.params?.text ?? '');
  const [, done, total] = /\binstall\b.*?(\d+)\/(\d+)\s*$/.exec(text) ?? [];
  return total === undefined ? null : { done: Number(done), total: Number(total) };
}
