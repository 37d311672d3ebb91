import { z } from 'zod';
import { APP } from '../../../shared/app';
import { BATCH } from '../../../shared/batch';
import { checklistRow } from '../../../shared/checklist';
import { deletedApp } from '../../../shared/deleted';
import { ENVIRONMENT, environmentDetails } from '../../../shared/environment';
import { EVENT } from '../../../shared/event';
import { objectIn, type Type } from '../../../shared/fields';
import { movePlan, newAppPlan } from '../../../shared/move';
import { NOTIFIER, noticeResult } from '../../../shared/notice';
import { OPERATION } from '../../../shared/operation';
import { schemaOf } from '../../../shared/schema';
import { appCounts, appLoad, fleetLoad, fleetSummary } from '../../../shared/summary';
import { VIEW } from '../../../shared/view';

/** All plugins of a NocoBase share these names. */
export const ROWS = {
  appSupervisorApp: objectIn(APP, 'row'),
  appSupervisorDeletedApp: deletedApp,
  appSupervisorEnvironment: objectIn(ENVIRONMENT, 'row'),
  appSupervisorEnvironmentDetails: environmentDetails,
  appSupervisorOperation: objectIn(OPERATION, 'row'),
  appSupervisorBatch: objectIn(BATCH, 'row'),
  appSupervisorEvent: objectIn(EVENT, 'row'),
  appSupervisorNotifier: objectIn(NOTIFIER, 'row'),
  appSupervisorNoticeResult: noticeResult,
  appSupervisorView: objectIn(VIEW, 'row'),
  appSupervisorChecklistRow: checklistRow,
  appSupervisorMovePlan: movePlan,
  appSupervisorNewAppPlan: newAppPlan,
  appSupervisorSummary: fleetSummary,
  appSupervisorLoad: fleetLoad,
  appSupervisorAppLoad: appLoad,
  appSupervisorAppCounts: appCounts,
};

/** The JSON schema of a request's body. */
export const bodySchema = (body: z.ZodType) =>
  z.toJSONSchema(body, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod;
      // Fields that are refused with a specific error are not documented.
      for (const [name, field] of Object.entries(jsonSchema.properties ?? {})) {
        if (typeof field === 'object' && field.not) delete jsonSchema.properties?.[name];
      }
      if (def.type !== 'default') return;
      const [once, again] = [def.defaultValue, def.defaultValue];
      // A default that is generated for each request, such as a name, is not documented.
      if (once !== again) delete jsonSchema.default;
    },
  });

/** Rows get new fields with new releases, so additional fields are allowed. */
export const rowSchema = (row: Type) =>
  z.toJSONSchema(schemaOf(row), {
    override({ jsonSchema }) {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
