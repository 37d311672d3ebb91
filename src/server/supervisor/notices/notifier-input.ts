import { z } from 'zod';
import { NOTICE_KINDS, NOTIFIERS, type NotifierId } from '../../../shared/notice';

/** The parameters of `appNotifiers:update`. */

/** Most people who get messages. */
const MOST_RECEIVERS = 100;

const common = {
  enabled: z.boolean().optional(),
  kinds: z
    .array(z.enum(NOTICE_KINDS))
    .transform((kinds) => NOTICE_KINDS.filter((kind) => kinds.includes(kind)))
    .optional(),
};

/** Fetch and proxies would send what is before the `@` as a header, and logs would show it. */
const address = z
  .string()
  .trim()
  .max(2_000)
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    return url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password;
  }, 'INPUT_WEBHOOK_ADDRESS');

const receivers = z
  .array(z.string().regex(/^\d{1,19}$/))
  .max(MOST_RECEIVERS)
  .transform((ids) => [...new Set(ids)]);

/** An empty text is nothing. */
const orNone = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? null : value), schema.nullable().optional());

export const channelInput = z.strictObject({
  ...common,
  channel: orNone(z.string().max(255)),
  receivers: receivers.optional(),
});

export const webhookInput = z.strictObject({
  ...common,
  url: orNone(address),
  /** Makes a new secret in the place of the one before. */
  newSecret: z.boolean().optional(),
});

export type NotifierInput = z.infer<typeof channelInput> & z.infer<typeof webhookInput>;

export const notifierId = z.enum(NOTIFIERS);
export const notifierInput: Record<NotifierId, z.ZodType<NotifierInput>> = {
  channel: channelInput,
  webhook: webhookInput,
};
export const anyNotifierInput = z.union([channelInput, webhookInput]);
