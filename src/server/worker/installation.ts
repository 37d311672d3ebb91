import { type DatabaseConnection, identifyServer } from '../databases';
import { fingerprint } from '../protocol/secrets';

/**
 * Names the main database of an environment by what it says and not by its address: two machines may call two databases `localhost`, and two
 * processes may call one database by two names. A copy has the stored id of its original, and another server or place on it.
 *
 * @param databaseId reads the id that is stored in the database
 */
export function placeOf(
  main: DatabaseConnection,
  environment: string,
  databaseId: () => Promise<string>,
): () => Promise<string> {
  let known: Promise<string> | null = null;
  const read = async () => {
    const [id, server] = await Promise.all([databaseId(), identifyServer(main)]);
    return fingerprint([id, server, environment].join('|'));
  };
  return () => {
    // It may hang: it is asked once, and again if it fails.
    known ??= read().catch((error) => {
      known = null;
      throw error;
    });
    return known;
  };
}
