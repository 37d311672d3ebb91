/** Valid names. These patterns protect every place where a name reaches SQL, Redis, a path, a URL or a log. */

/** npm name of this plugin; also its translation namespace. */
export const PLUGIN = '@nocobase/plugin-app-supervisor';

/** The WebSocket message, without content, that something about apps or environments has changed. */
export const CHANGED = 'app-supervisor:changed';

/** The only environment of shared-memory mode. */
export const LOCAL_ENVIRONMENT = 'local';

/** An app's identifier: starts with a letter, then letters, digits, `_`, `-`; at most 50 characters, so that `nocobase_<name>` fits PostgreSQL's 63 bytes. */
export const APP_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,49}$/;

/** The uid of an app: a field of what Redis has of it, beside fields that begin with a colon. */
export const APP_UID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Names that every JavaScript object has: a look-up of one in an object that is no `Map` finds a function. */
const OBJECT_NAMES = Object.getOwnPropertyNames(Object.prototype);

/**
 * An environment's identifier: starts with a letter or digit; at most 64 characters. None that JavaScript objects have,
 * because environments are keys of objects.
 */
export const ENVIRONMENT_NAME = new RegExp(`^(?!(?:${OBJECT_NAMES.join('|')})$)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`);

/** A database, schema or table prefix: what every supported database accepts quoted, without escaping. */
export const SQL_IDENTIFIER = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

/** A schema: lower case only, because the core writes it unquoted in places (db-creator.ts:140). */
export const SCHEMA_NAME = /^[a-z][a-z0-9_]{0,62}$/;

/** Prefix of the names of an app's tables. */
export const TABLE_PREFIX = /^[A-Za-z][A-Za-z0-9_]{0,19}$/;

/** A label of an app, such as `trial`, `customer:acme` or `客户：甲`: no comma, which separates labels in addresses. */
export const LABEL = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M} ._:：/@+-]*[\p{L}\p{N}\p{M}])?$/u;

/** Parameters of an address, encoded. */
export const VIEW_ADDRESS = /^[\w%.~*+&=-]*$/;

/** An icon that NocoBase provides. */
export const ICON_NAME = /^[A-Za-z]{1,64}$/;

/** An app's icon: one of NocoBase's, or a picture as a data URI. */
export const ICON = /^(?:[A-Za-z]{1,64}|data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/=]+)$/;

/** A language such as `en-US`, `zh_CN` or `es-419`; no path. */
export const LANGUAGE = /^[a-z]{2,3}([-_][a-z0-9]{2,8}){0,3}$/i;

/** A custom domain: a host name without scheme, port or path. */
export const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A user's name, as NocoBase's own sign-up accepts it. */
export const USERNAME = /^[^@<>"'/]{1,50}$/;

/** A role of an app that created accounts may get: none of NocoBase's own that give every permission. The app refuses others. */
export const SIGNUP_ROLE = /^(?!(?:root|admin)$)[\w-]{1,100}$/;

/** User name of the first administrator if neither the request nor its user has one; NocoBase's own default. */
export const DEFAULT_USERNAME = 'nocobase';

/** Names that have another meaning for the core or for JavaScript. */
export const RESERVED_APP_NAMES = new Set([
  'main',
  ...OBJECT_NAMES.map((name) => name.toLowerCase()),
  'prototype',
  'postgres',
  'template0',
  'template1',
  'mysql',
  'sys',
]);

export const isAppName = (name: unknown): name is string =>
  typeof name === 'string' && APP_NAME.test(name) && !RESERVED_APP_NAMES.has(name.toLowerCase());
