const named = (prefix: string, ...names: string[]) => names.map((name) => `@nocobase/plugin-${prefix}${name}`);

/**
 * `FLEET_WITHOUT` of what `npm test` starts: plugins of NocoBase that none of its tests is about. Without them, an app or a process takes
 * a third less of the processor's time to start. `npm start` and all of `npm run test:long` have all plugins.
 */
export const PLUGINS_LEFT_OUT = [
  ...named('', 'calendar', 'data-visualization', 'field-formula', 'field-markdown-vditor', 'field-sequence'),
  ...named('', 'file-previewer-office', 'gantt', 'kanban'),
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
  ...named('action-', 'bulk-edit', 'bulk-update', 'duplicate', 'print'),
  ...named('block-', 'comment', 'grid-card', 'iframe', 'list', 'template', 'tree'),
  ...named('', 'api-doc', 'collection-tree', 'text-copy', 'theme-editor', 'ui-templates', 'verification'),
].join();
