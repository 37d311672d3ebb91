import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { dropDatabase, releaseDatabase } from '../../databases';
import { removeFolders } from '../files/app-folders';
import type { AppDatabases } from './app-databases';

/**
 * Drops what this app created, its folders too, and nothing else, or removes its ownership marker.
 *
 * @returns what was done
 * @throws AppSupervisorError DATABASE_…
 */
export async function endData(
  record: AppRecord,
  databases: Pick<AppDatabases, 'signedIn' | 'makerOf' | 'protect'>,
  storagePath: string,
): Promise<Message> {
  const { name, uid } = record;
  const { dbConnType } = record.database;
  const connection = await databases.signedIn(record);
  if (record.data !== 'drop') {
    await releaseDatabase(connection, dbConnType, { app: name, uid });
    return say('DATA_RELEASED');
  }
  const outcome = await dropDatabase(connection, dbConnType, {
    uid,
    protect: databases.protect(),
    maker: databases.makerOf(record),
  });
  if (outcome.code === 'DATA_DROPPED') await removeFolders(storagePath, name);
  return outcome;
}
