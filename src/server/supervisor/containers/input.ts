import { z } from 'zod';
import type { JoinRequest } from '../../../shared/join';
import { joinFields } from '../joining/input';

/** The parameters of `appContainers:create`. Image and network are those of the Supervisor: the engine obeys nobody else's wishes. */

const { name, url, proxyUrl, redis, database } = joinFields;

export interface MakeInput extends Omit<JoinRequest, 'image' | 'network'> {
  /** In MB. */
  memory?: number;
  cpus?: number;
}

export const makeInput = z.strictObject({
  name,
  url,
  proxyUrl,
  redis,
  database,
  // NocoBase does not start with less.
  memory: z.number().int().min(512).max(1_048_576).optional(),
  cpus: z.number().min(0.1).max(1_024).optional(),
}) as unknown as z.ZodType<MakeInput>;

export const removeInput = z.strictObject({ volume: z.enum(['keep', 'drop']).default('keep') });

export const containerLogsInput = z.object({ lines: z.coerce.number().int().min(1).max(1_000).default(100) });
