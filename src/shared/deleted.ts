import { bigInt, list, object, orNull, text, type ValueOf } from './fields';

/** A deleted app whose data were kept, as `apps:deleted` answers. */
export const deletedApp = object({
  /** By which it is restored. */
  uid: text(),
  name: text(),
  title: text(),
  icon: orNull(text()),
  labels: list(text()),
  /** Where it was placed. */
  environments: list(text()),
  cname: orNull(text()),
  deletedAt: bigInt(),
  /** When it is forgotten; null while environments have not confirmed the deletion: then it cannot be restored yet. */
  until: orNull(bigInt()),
});
export type DeletedAppRow = ValueOf<typeof deletedApp>;
