import { z } from 'zod';

/** A text that is JSON of this form. */
export const jsonText = <T extends z.ZodType>(form: T) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue('It is not JSON.');
        return z.NEVER;
      }
    })
    .pipe(form);
