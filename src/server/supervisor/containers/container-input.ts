import { z } from 'zod';
import { publishedPort } from '../joining/files';
import { joinFields } from '../joining/join-input';

/** The parameters of `appContainers:create`. Image and network are those of the Supervisor: the engine obeys nobody else's wishes. */

const { name, url, proxyUrl, redis, database } = joinFields;

/** Of the engine's machine; those below belong to its own services. */
const LOWEST_PORT = 1_024;
const ownUrl = url.refine((text) => {
  const port = Number(publishedPort(text));
  return !port || port >= LOWEST_PORT;
}, 'INPUT_LOW_PORT');

export const makeInput = z.strictObject({
  name,
  url: ownUrl,
  proxyUrl,
  redis,
  database,
  /** In MB. NocoBase does not start with less. */
  memory: z.number().int().min(512).max(1_048_576).optional(),
  cpus: z.number().min(0.1).max(1_024).optional(),
});
export type MakeInput = z.output<typeof makeInput>;

/** `confirm`: the name of the environment, to delete files that apps have nowhere else. */
export const removeInput = z.strictObject({
  volume: z.enum(['keep', 'drop']).default('keep'),
  confirm: z.string().optional(),
});
export type RemoveInput = z.output<typeof removeInput>;

export const containerLogsInput = z.object({ lines: z.coerce.number().int().min(1).max(1_000).default(100) });
