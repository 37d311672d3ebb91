import type { Message } from '../../shared/message';
import type { MovePreview } from '../../shared/move';

/** Apps that cannot be moved for one reason. */
export interface Refused {
  cause: Message;
  apps: MovePreview[];
}

/** The app of a cause is the app itself. */
const sameness = ({ code, params: { app: _, ...params } = {} }: Message): string => JSON.stringify([code, params]);

/** Whether an app is not moved, and its visitors do not notice it: others of its environments serve them. */
export const staysServed = (app: MovePreview): boolean => app.refused !== null && app.servedIn.length > 0;

/** What a move does with apps: those that go, those that stay and are served elsewhere, and the others by cause, the most first. */
export function movesApart(apps: readonly MovePreview[]): {
  moved: MovePreview[];
  served: MovePreview[];
  refused: Refused[];
} {
  const groups = new Map<string, Refused>();
  for (const app of apps) {
    const cause = app.refused;
    if (!cause || staysServed(app)) continue;
    const group = groups.get(sameness(cause)) ?? { cause, apps: [] };
    group.apps.push(app);
    groups.set(sameness(cause), group);
  }
  return {
    moved: apps.filter((app) => app.refused === null),
    served: apps.filter(staysServed),
    refused: [...groups.values()].sort((one, other) => other.apps.length - one.apps.length),
  };
}

/** Of what was refused, what a preview had not refused, with titles as far as it knows them. */
export const unforeseen = <R extends { app: string }>(
  refused: readonly R[],
  previews: readonly MovePreview[],
): Array<R & { title?: string }> =>
  refused.flatMap((each) => {
    const preview = previews.find(({ app }) => app === each.app);
    return preview?.refused ? [] : [{ ...each, title: preview?.title }];
  });
