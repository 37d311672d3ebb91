import type { DeletedAppRow } from '../../../shared/deleted';
import { type DeletedApp, formerPlaces, isRestorable, KEEP_DELETED } from '../definitions/repository';

/** The deleted apps that can be restored, or soon can. */
export const deletedRows = (deleted: readonly DeletedApp[]): DeletedAppRow[] =>
  deleted.filter(isRestorable).map(({ uid, name, definition, deletedAt, endedAt, environments }) => ({
    uid,
    name,
    title: definition.title,
    icon: definition.icon,
    labels: definition.labels,
    environments: formerPlaces(definition).length ? formerPlaces(definition) : environments,
    cname: definition.cname,
    deletedAt,
    until: endedAt === null ? null : endedAt + KEEP_DELETED,
  }));
