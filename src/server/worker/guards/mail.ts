import { z } from 'zod';
import type { HostConfig } from '../../config/core-settings';
import { type Guard, guardPlugin } from './guard';
import { withConfined } from './processor';

/** Text as it is; an object, in which nodemailer would look for the path of a file to send, as JSON. */
const text = z.unknown().transform((value) => {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
});
const flag = z.union([z.boolean(), z.string()]).optional().catch(undefined);
const addresses = z.unknown().transform((value) => {
  const all: unknown[] = Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
  const known = all.filter((one) => typeof one === 'string');
  return known.length ? known : undefined;
});

/**
 * A mail server as the node's form has it. Anything else nodemailer accepts, too: a program of the host that sends the mail
 * (`sendmail`, `path`, `args`).
 */
const provider = z
  .object({
    host: text,
    port: text,
    secure: flag,
    auth: z.object({ user: text, pass: text }).partial().optional().catch(undefined),
  })
  .partial()
  .catch({});

/** The fields of the node's form. Further ones could name files: `alternatives`, `raw`, `icalEvent`. */
const mail = z
  .object({
    provider,
    from: text,
    to: addresses,
    cc: addresses,
    bcc: addresses,
    subject: text,
    contentType: z.unknown(),
    html: text,
    text,
    attachments: z.unknown(),
    ignoreFail: z.unknown(),
  })
  .partial()
  .catch({});

export const mailOf = (config: unknown): Record<string, unknown> => mail.parse(config);

/** A message of the notification plugin; the rest of it names its receivers. */
const message = z.looseObject({ subject: text, html: text, text }).partial().catch({});

/** Mails of apps are sent through mail servers, and have no files of the host in them. */
export const mails = (host: HostConfig): Guard => ({
  afterLoad: (app) => {
    const node = ['workflow-mailer', 'MailerInstruction', 'default'] as const;
    guardPlugin(app, host, node, ['run'], (original, args) => original(...withConfined(args, mailOf)));
    guardPlugin(app, host, node, ['getPayload'], async (original, [config]) => ({
      ...((await original(mailOf(config))) as object),
      disableFileAccess: true,
      disableUrlAccess: true,
    }));
    const channel = ['notification-email', 'mail-server', 'MailNotificationChannel'] as const;
    guardPlugin(app, host, channel, ['send'], (original, [args]) => {
      const given = args as { message?: unknown };
      return original({ ...given, message: message.parse(given.message) });
    });
  },
});
