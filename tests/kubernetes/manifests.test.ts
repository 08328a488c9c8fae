/** That infra/kubernetes agrees with stack.yml and infra/compose, and that Kubernetes's own schemas take it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readStack } from '../../infra/embedded/gateway/stack.ts';
import { composeDir, exampleEnvironment, readComposeFile } from '../compose/compose-file.ts';
import {
  chartValues,
  kubernetesDir,
  kustomization,
  type Manifest,
  manifests,
  ofKind,
  pods,
  readManifests,
} from './manifests.ts';

const stack = await readStack(path.join(kubernetesDir, '../../stack.yml'), {});
const functionNames = stack.map(({ name }) => name);
const compose = readComposeFile(exampleEnvironment()).services;

/** Every value under this key, wherever it is. */
function everywhere(value: unknown, key: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    ...(name === key ? [inner] : []),
    ...everywhere(inner, key),
  ]);
}

test('functions that are named are those of stack.yml, and who rents may reach providers', () => {
  const named = ofKind('PodDisruptionBudget')
    .concat(ofKind('NetworkPolicy'))
    .flatMap((manifest) => [
      ...everywhere(manifest, 'faas_function'),
      ...everywhere(manifest, 'matchExpressions')
        .flat()
        .flatMap((expression) => (expression as { values?: string[] }).values ?? []),
    ]);
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => !functionNames.includes(name as string))).toEqual([]);

  const renting = ofKind('NetworkPolicy').find(({ metadata }) => metadata.name === 'renting-to-providers');
  const renters = stack.filter(({ secrets }) => secrets.includes('runpod-api-key')).map(({ name }) => name);
  expect(everywhere(renting, 'values')).toEqual([expect.arrayContaining(renters)]);
  expect((everywhere(renting, 'values')[0] as string[]).length).toBe(renters.length);
});

test('programs, users and addresses are those of the compose installation', () => {
  const pairs = [
    [pods.connector!.spec.containers[0]!, compose.connector!],
    [pods['set-up']!.spec.initContainers[0]!, compose.database!],
    [pods['set-up']!.spec.containers[0]!, compose.bucket!],
    [pods.mosquitto!.spec.initContainers[0]!, compose['broker-logins']!],
  ] as const;
  for (const [container, service] of pairs) {
    expect([container.name, container.command]).toEqual([container.name, service.command]);
    expect(container.image).toBe('aima');
    const allowed = Object.keys(service.environment);
    expect(container.env.map(({ name }) => name).filter((name) => !allowed.includes(name))).toEqual([]);
  }
  for (const [name, { spec }] of Object.entries(pods)) {
    const uid = compose[name === 'set-up' ? 'database' : name]!.user.split(':')[0];
    expect([name, String(spec.securityContext.runAsUser)]).toEqual([name, uid]);
  }
});

test('images are pinned as in the compose installation', () => {
  const [ours, mosquitto] = kustomization.images;
  expect(ours!.newTag).toBe(exampleEnvironment().AIMA_VERSION);
  const { newTag, digest } = mosquitto!;
  expect(`${mosquitto!.name}:${newTag}@${digest}`).toBe(compose.mosquitto!.image);
  const used = new Set(everywhere(manifests, 'image'));
  expect([...used].toSorted()).toEqual(kustomization.images.map(({ name }) => name).toSorted());
});

test('no container may gain rights or write where no volume is', () => {
  const containers = Object.values(pods).flatMap(({ spec }) => [...spec.initContainers, ...spec.containers]);
  expect(containers.length).toBe(5);
  for (const { name, securityContext } of containers) {
    expect([name, securityContext]).toEqual([
      name,
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    ]);
  }
});

test('each timeout outlasts the one before it', () => {
  const route = ofKind('HTTPRoute').find(({ metadata }) => metadata.name === 'functions');
  const routeSeconds = Number.parseInt(everywhere(route, 'request')[0] as string, 10);
  const { gateway, faasnetes } = chartValues;
  for (const { name, execTimeoutMs, environment } of stack) {
    const chain = [
      execTimeoutMs / 1000,
      Number.parseInt(environment.write_timeout!, 10),
      gateway.upstreamTimeout,
      Math.min(gateway.writeTimeout, gateway.readTimeout, faasnetes.readTimeout, faasnetes.writeTimeout),
      routeSeconds,
    ];
    const growing = chain.every((seconds, at) => at === 0 || seconds > chain[at - 1]!);
    expect([name, chain, growing]).toEqual([name, chain, true]);
  }
});

test('the world sees what it sees with the compose installation', () => {
  const caddyfile = readFileSync(path.join(composeDir, 'Caddyfile'), 'utf8');
  const named = new Set(
    [...caddyfile.matchAll(/^\t+@?(?:\w+ )?path (\/function.*)$/gm)]
      .flatMap(([, list]) => list!.split(' '))
      .map((one) => one.replace(/\/\*$/, '')),
  );
  const route = ofKind('HTTPRoute').find(({ metadata }) => metadata.name === 'functions');
  const paths = everywhere(route, 'path') as { type: string; value: string }[];
  const routed = paths.map(({ value }) => value);
  // Below /function/terminate there is nothing else to POST to.
  named.delete('/function/terminate/serverless');
  expect(routed.toSorted()).toEqual([...named].toSorted());

  const [removed] = everywhere(route, 'requestHeaderModifier') as { remove: string[] }[];
  const stripped = [...caddyfile.matchAll(/header_up -([\w-]+)$/gm)].map(([, name]) => name);
  expect(removed!.remove).toEqual(stripped);
});

test('the chart exposes nothing by itself, and our secret is the gateway’s', () => {
  expect(chartValues).toMatchObject({
    functionNamespace: 'openfaas-fn',
    async: false,
    exposeServices: false,
    generateBasicAuth: false,
  });
});

/** Skips with a line where a program is not here. */
function isHere(program: string, args: string[], what: string, how: string): boolean {
  const here = spawnSync(program, args).error === undefined;
  if (!here) console.log(`${what} skipped: no ${program} here (${how}).`);
  return here;
}
const kubectl = isHere(
  'kubectl',
  ['version', '--client'],
  'kustomize and from-files.sh',
  'apt-get install kubernetes-client',
);
const validator = isHere(
  'kubernetes-validate',
  ['--version'],
  "Kubernetes's schemas",
  'pip install kubernetes-validate',
);

test.skipIf(!kubectl)(
  'from-files.sh makes every secret that a pod or a function mounts, and keeps values',
  () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'aima-kubernetes-'));
    try {
      writeFileSync(path.join(dir, 'api-token'), 'a token');
      const ran = spawnSync(path.join(kubernetesDir, 'from-files.sh'), [dir], { encoding: 'utf8' });
      expect(ran).toMatchObject({ status: 0, stderr: '' });
      const made = readManifests(ran.stdout);
      const secrets = made.filter(({ kind }) => kind === 'Secret');
      const where = ({ metadata }: Manifest) => `${metadata.namespace}/${metadata.name}`;
      const wanted = [
        ...new Set(stack.flatMap((definition) => definition.secrets.map((name) => `openfaas-fn/${name}`))),
        ...everywhere(pods, 'secretName').map((name) => `aima/${name}`),
        'openfaas/basic-auth',
      ];
      expect(secrets.map(where).toSorted()).toEqual(wanted.toSorted());
      const token = secrets.find(({ metadata }) => metadata.name === 'api-token')!;
      expect(token.data).toEqual({ 'api-token': Buffer.from('a token').toString('base64') });
      const [config] = made.filter(({ kind }) => kind === 'ConfigMap');
      const mounted = everywhere(pods.mosquitto, 'subPath');
      expect(Object.keys(config!.data as object).toSorted()).toEqual(mounted.toSorted());
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
);

test.skipIf(!kubectl || !validator)('Kubernetes’s own schemas take every object', () => {
  const built = spawnSync('kubectl', ['kustomize', kubernetesDir], { encoding: 'utf8' });
  expect(built).toMatchObject({ status: 0, stderr: '' });
  const dir = mkdtempSync(path.join(tmpdir(), 'aima-kubernetes-'));
  try {
    const file = path.join(dir, 'all.yaml');
    writeFileSync(file, built.stdout);
    const ran = spawnSync('kubernetes-validate', ['--strict', file], { encoding: 'utf8' });
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    // Those of the Gateway API are none of Kubernetes's own.
    const others = readManifests(built.stdout).filter(({ apiVersion }) => apiVersion.startsWith('gateway.'));
    const passed = `${ran.stdout}${ran.stderr}`.match(/ passed for resource /g) ?? [];
    expect(passed.length).toBe(manifests.length - others.length);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
