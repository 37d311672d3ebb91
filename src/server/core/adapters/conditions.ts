import { filterMatch } from '@nocobase/database';
import { z } from 'zod';
import type { AppModel } from './managed';

/** A named set of apps: which of them belong is told by either (app-supervisor/types.ts:87). */
export interface AppCondition {
  /** As a repository takes it, on the fields of an `AppModel`; `options.autoStart` reaches into it. */
  filter?: Record<string, unknown>;
  match?: (app: AppModel) => boolean;
}

/** Where an app was added to a condition, or removed from it, by hand: an item of the app's manifest. */
export const membership = z.object({ environment: z.string(), member: z.boolean() });
export type Membership = z.infer<typeof membership>;

/** No other plugin's manifests are named like this, and they end with the app as all of them do. */
export const conditionNamespace = (condition: string): string => `app-supervisor:condition:${condition}`;

/**
 * Names of the apps that belong to a condition: those it tells itself, unless somebody said otherwise for that environment.
 * An app of which nothing is known any more, or that no longer lies there, never does.
 *
 * @param environment null: in any of its environments
 */
export function appsOf(
  condition: AppCondition,
  apps: AppModel[],
  byHand: Record<string, Membership[]>,
  environment: string | null,
): string[] {
  return apps
    .filter((app) => {
      const places = environment === null ? app.environments : app.environments.filter((name) => name === environment);
      return places.some((place) => {
        const said = byHand[app.name]?.find((item) => item.environment === place);
        return said ? said.member : tells(condition, app);
      });
    })
    .map(({ name }) => name);
}

function tells({ match, filter }: AppCondition, app: AppModel): boolean {
  if (match) return match(app);
  return filter ? filterMatch(flat(app), filter) : false;
}

/** `{options: {sso: {enabled: true}}}` also as `{'options.sso.enabled': true}`, as a filter names it. */
function flat(value: object, path = ''): Record<string, unknown> {
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, inner]) => ({
      [path + key]: inner,
      ...(inner && typeof inner === 'object' && !Array.isArray(inner) ? flat(inner, `${path + key}.`) : {}),
    })),
  );
}
