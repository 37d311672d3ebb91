import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import type { Client } from '../../scripts/browser';
import { Fleet } from '../../scripts/fleet';
import { recorderEnv } from '../../scripts/fleet/process-recorder';
import { installTestPlugin } from '../support/test-plugin';
import { endUnharmed } from '../support/verdict';

/**
 * One fleet for all tests of a project: a Supervisor and two Workers in processes of their own, apart from a developer's
 * `npm start`. Tests get at it with `sharedFleet()`.
 */

declare module 'vitest' {
  interface ProvidedContext {
    fleet: string;
    /** In which of NocoBase's clients this run tests our pages whole. */
    client: Client['client'];
  }
}

/** The running fleet; whatever an earlier test did to its processes is undone. */
export async function sharedFleet(): Promise<Fleet> {
  const fleet = Fleet.attach(inject('fleet'));
  await fleet.heal();
  await fleet.waitForWorkers();
  return fleet;
}

const named = (prefix: string, ...names: string[]) => names.map((name) => `@nocobase/plugin-${prefix}${name}`);

/**
 * Plugins of NocoBase that no test in `npm test` is about: its apps and processes start without them, which saves a third of the
 * processor's time of each. `npm start`, one process and all of `npm run test:long` have all of them.
 */
const LEFT_OUT = {
  pages: [
    ...named('', 'ai', 'calendar', 'data-visualization', 'field-formula', 'field-markdown-vditor', 'field-sequence'),
    ...named('', 'file-previewer-office', 'gantt', 'idp-oauth', 'kanban', 'mcp-server'),
    ...named('workflow-', 'action-trigger', 'aggregate', 'cc', 'custom-action-trigger', 'date-calculation', 'delay'),
    ...named(
      'workflow-',
      'javascript',
      'json-query',
      'json-variable-mapping',
      'loop',
      'mailer',
      'manual',
      'notification',
    ),
    ...named('workflow-', 'parallel', 'request', 'request-interceptor', 'response-message', 'sql', 'variable'),
  ],
  /** Without a page, what only pages need can go, too. */
  server: named(
    '',
    ...['action-bulk-edit', 'action-bulk-update', 'action-duplicate', 'action-print', 'api-doc', 'block-comment'],
    ...[
      'block-grid-card',
      'block-iframe',
      'block-list',
      'block-template',
      'block-tree',
      'collection-tree',
      'text-copy',
    ],
    ...['theme-editor', 'ui-templates', 'verification'],
  ),
};

/** What tests of the server are about: MCP servers are a matter of NocoBase's AI. */
const OF_SERVER = new Set(named('', 'ai', 'idp-oauth', 'mcp-server'));

const leftOut = (project: string): string[] => {
  if (project === 'browser') return LEFT_OUT.pages;
  return project === 'e2e' ? [...LEFT_OUT.pages, ...LEFT_OUT.server].filter((name) => !OF_SERVER.has(name)) : [];
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const fleet = await Fleet.start({
    name: project.name,
    port: 'free',
    reset: true,
    durable: false,
    // Chaos tests take either Redis away alone.
    separateCommandRedis: project.name === 'chaos',
    door: project.name === 'door',
    instanceEnv: { supervisor: { TELEMETRY_ENABLED: 'on', TELEMETRY_METRIC_READER: 'console' } },
    env: {
      ...recorderEnv(project.name),
      ...installTestPlugin(project.name === 'chaos' ? 'poison' : 'core-probe'),
      FLEET_WITHOUT: leftOut(project.name).join(),
    },
  });
  project.provide('fleet', fleet.config.name);
  project.provide('client', project.name === 'long' ? 'legacy' : 'modern');
  return () => endUnharmed(fleet);
}
