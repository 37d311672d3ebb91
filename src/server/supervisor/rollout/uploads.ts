import { isDeepStrictEqual } from 'node:util';
import { type Message, say } from '../../../shared/message';
import type { StatusEntry } from '../../../shared/messages';
import type { Health } from '../../../shared/types';
import type { AppDefinition, Published } from '../definitions/repository';

type Uploads = Published['uploads'];
/** As `Observe`, which depends on this file. */
type ObserveUploads = (environment: string) => { entry: StatusEntry | null; isKnown: boolean; address: string | null };

/** Why nothing is copied ahead any more; null if it is. */
export function endsAhead(
  { environments: [from] }: Pick<AppDefinition, 'environments'>,
  target: string,
  observe: (environment: string) => { health: Health; address: string | null },
): Message | null {
  if (from === undefined || from === target) return say('UPLOADS_NO_ADDRESS');
  const { health, address } = observe(from);
  if (!address) return say('UPLOADS_NO_ADDRESS');
  return health === 'down' ? say('STATUS_DOWN', { environment: from }) : null;
}

/** Whether an environment only copies, or copied, the uploads of an app ahead: it was never asked to run it. */
export const isAhead = (published: Published | undefined): boolean => published?.uploads?.ahead === true;

/** What was asked of an environment about an app, if anything was but to copy its uploads ahead. */
export const askedOf = (published: Record<string, Published>, environment: string): Published | undefined =>
  isAhead(published[environment]) ? undefined : published[environment];

/**
 * Publishes for each environment from where it can copy the uploads that it still lacks, as its Worker reports it.
 * @returns by environment, what is to be published; null if that is published
 */
export function uploadsPublished(
  { uid, published }: Pick<AppDefinition, 'uid' | 'published'>,
  observe: ObserveUploads,
): Record<string, Published> | null {
  const changed = Object.entries(published).flatMap(([environment, wish]) => {
    // What is copied ahead is asked for by a move, and a report of when the app was there before says nothing of it.
    const entry = wish.desired === 'removed' || isAhead(wish) ? null : observe(environment).entry;
    if (entry?.uid !== uid || entry.generation < wish.generation || entry.uploads === undefined) return [];
    const { uploads, ...others } = wish;
    const wanted = entry.uploads && uploadsFrom(entry.uploads.from, wish, entry, observe);
    if (isDeepStrictEqual(wanted ?? undefined, uploads)) return [];
    return [[environment, wanted ? { ...others, uploads: wanted } : others] as const];
  });
  return changed.length ? Object.fromEntries(changed) : null;
}

function uploadsFrom(
  from: string,
  { generation, uploads }: Published,
  { status }: Pick<StatusEntry, 'status'>,
  observe: ObserveUploads,
): Uploads {
  const { isKnown, address } = observe(from);
  if (!isKnown) return undefined;
  if (uploads?.from !== from) return { from, generation, wait: false, address };
  // It has started without them, and need not wait when it is started again.
  return { ...uploads, wait: uploads.wait && status !== 'running', address };
}
