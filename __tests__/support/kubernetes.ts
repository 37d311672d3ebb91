import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../../scripts/lib/root.mjs';
import { keysProgram } from './compose';

/** deploy/kubernetes, rendered by kubectl. */

export type Labels = Record<string, string>;
export interface Container {
  name: string;
  env?: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef?: { name: string; key: string }; fieldRef?: { fieldPath: string } };
  }[];
  args?: string[];
  envFrom?: Record<'configMapRef' | 'secretRef', { name: string } | undefined>[];
  command?: string[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string }[];
  [probe: `${string}Probe`]: { httpGet?: { path: string; port: string } } | undefined;
}
export interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels };
  data?: Labels;
  spec: any;
}

/** What somebody has who begins with docs/kubernetes.md. */
export function copyManifests(folder: string): void {
  fs.cpSync(path.join(ROOT, 'deploy/kubernetes'), folder, { recursive: true });
  execFileSync('sh', ['create-secrets.sh', 'overlays/one-supervisor'], { cwd: folder });
}

export function rendered(folder: string, overlay: string): Resource[] {
  const text = execFileSync('kubectl', ['kustomize', path.join(folder, 'overlays', overlay)], { encoding: 'utf8' });
  const all: Resource[] = parseAllDocuments(text).map((document) => document.toJS());
  // kubectl breaks long values into lines, which Kubernetes ignores and its schema does not.
  for (const { data = {} } of all.filter(({ kind }) => kind === 'Secret')) {
    for (const [name, value] of Object.entries(data)) data[name] = value.replaceAll('\n', '');
  }
  return all;
}

/** Those that have pods. */
export const workloads = (all: Resource[]): Resource[] =>
  all.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment');

/** What a container finds in its environment, and what start.sh adds to it. */
export function environmentIn(all: Resource[], container: Container, volumes: any[] = []): Record<string, string> {
  const dataOf = (kind: string, name: string) => {
    const found = all.find((resource) => resource.kind === kind && resource.metadata.name === name);
    expect(found, `${kind} ${name}`).toBeDefined();
    const { data = {} } = found as Resource;
    if (kind === 'ConfigMap') return data;
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(Buffer.from(value, 'base64'))]));
  };
  const variables: Record<string, string> = {};
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef) Object.assign(variables, dataOf('ConfigMap', configMapRef.name));
    if (secretRef) Object.assign(variables, dataOf('Secret', secretRef.name));
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { secretKeyRef, fieldRef } = valueFrom ?? {};
    const secret = secretKeyRef && dataOf('Secret', secretKeyRef.name)[secretKeyRef.key];
    if (fieldRef) expect(fieldRef).toEqual({ fieldPath: 'metadata.namespace' });
    const text = value?.replace(/\$\((\w+)\)/g, (_, other) => variables[other]) ?? secret ?? (fieldRef && NAMESPACE);
    expect(text, name).toBeDefined();
    variables[name] = text as string;
  }
  const [program, ...sources] = container.command ?? [];
  for (const source of program === '/app/start.sh' ? sources : []) {
    const mount = container.volumeMounts?.find(
      ({ mountPath }) => mountPath === source || mountPath === path.dirname(source),
    );
    if (mount?.name === 'keys') {
      Object.assign(variables, variablesIn(keysIn(all, variables.ENVIRONMENT_NAME).files['worker.env']));
      continue;
    }
    const { secret } = volumes.find(({ name }) => name === mount?.name);
    Object.assign(variables, dataOf('Secret', secret.secretName));
  }
  return variables;
}

/** Of all overlays. */
const NAMESPACE = 'nocobase';

/** What the init container `keys` of a pod writes. @param environment undefined: of the Supervisor; `.door`: of the door */
export function keysIn(
  all: Resource[],
  environment?: string,
): { files: Record<string, string>; variables: Record<string, string> } {
  const set = workloads(all).find(({ metadata, spec }) =>
    environment === '.door'
      ? metadata.name === 'door'
      : metadata.name !== 'door' && spec.template.spec.initContainers && isFor(all, spec.template.spec, environment),
  );
  const keys = set?.spec.template.spec.initContainers.find(({ name }: Container) => name === 'keys') as Container;
  const made = fs.mkdtempSync(path.join(tmpdir(), 'keys-'));
  const variables = environmentIn(all, keys);
  const script = keys
    .args![0].replaceAll(/\S+\/dist\/server\/keys\.js/g, keysProgram())
    .replaceAll(/(?<= |")\/keys\b/g, made);
  const [program, ...options] = keys.command!;
  const env = { ...variables, PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` };
  execFileSync(program, [...options, script], { env, stdio: 'pipe' });
  const files = fs.readdirSync(made).map((name) => [name, fs.readFileSync(path.join(made, name), 'utf8')]);
  fs.rmSync(made, { recursive: true });
  return { files: Object.fromEntries(files), variables };
}

function isFor(all: Resource[], { containers }: { containers: Container[] }, environment?: string): boolean {
  const [{ envFrom }] = containers;
  const { ENVIRONMENT_NAME } = environmentIn(all, { name: 'nocobase', envFrom });
  return ENVIRONMENT_NAME === environment;
}

/** What a shell reads from a file of variables. */
export const variablesIn = (text: string) =>
  Object.fromEntries([...text.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));
