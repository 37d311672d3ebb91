import { filterMatch } from '@nocobase/database';
import { z } from 'zod';
import type { AppModel } from './managed';

/** A named set of apps, defined by either of these (app-supervisor/types.ts:87). */
export interface AppCondition {
  /** A repository filter on the fields of an `AppModel`; `options.autoStart` refers to a nested field. */
  filter?: Record<string, unknown>;
  match?: (app: AppModel) => boolean;
}

/** A manual addition of an app to a condition or its removal, as an item of the app's manifest. */
export const membership = z.object({ environment: z.string(), member: z.boolean() });
export type Membership = z.infer<typeof membership>;

/** No other plugin's manifests have such a name, and like all manifests they are deleted with the app. */
export const conditionNamespace = (condition: string): string => `app-supervisor:condition:${condition}`;

/**
 * Names of the apps in a condition: those that it matches, unless a manual assignment for that environment says
 * otherwise. Unknown apps, and apps that are no longer assigned to the environment, never match.
 *
 * @param environment null: in any of its environments
 */
export function appsOf(
  condition: AppCondition,
  apps: AppModel[],
  manual: Record<string, Membership[]>,
  environment: string | null,
): string[] {
  return apps
    .filter((app) => {
      const places = environment === null ? app.environments : app.environments.filter((name) => name === environment);
      return places.some((place) => {
        const assignment = manual[app.name]?.find((item) => item.environment === place);
        return assignment ? assignment.member : matches(condition, app);
      });
    })
    .map(({ name }) => name);
}

function matches({ match, filter }: AppCondition, app: AppModel): boolean {
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
