import { flag, list, message, number, object, orNull, text, type ValueOf } from './fields';

/** What a move of one app would do; see `apps:previewMove`. */
export const movePreview = object({
  app: text(),
  title: text(),
  /** The environment that it leaves; null if it has none. */
  from: orNull(text()),
  /** Its new environment; null if none fits. */
  to: orNull(text()),
  /** Why it cannot be moved there; null if it can. */
  refused: orNull(message()),
  /** Whether visitors are served all the time, because the app has several environments. */
  overlaps: flag(),
  /** Its other environments that serve its visitors: they go on if it only leaves this one. */
  servedIn: list(text()),
  /** How long its last start took, in ms: so long visitors wait. Null if it is not known, or if nobody waits. */
  waits: orNull(number()),
  /** What is good to know before it begins. */
  notes: list(message()),
});
export type MovePreview = ValueOf<typeof movePreview>;

/** An environment as a target of moves. */
export const movePlace = object({ name: text(), apps: number(), refusal: orNull(message()) });

export const movePlan = object({ apps: list(movePreview), places: list(movePlace) });
export type MovePlan = ValueOf<typeof movePlan>;

/** What a new app would get that its request leaves open; see `apps:previewCreate`. */
export const newAppPlan = object({
  /** Its identifier. */
  name: text(),
  /** Its environment; null if none takes it. */
  environment: orNull(text()),
  places: list(movePlace),
});
export type NewAppPlan = ValueOf<typeof newAppPlan>;
