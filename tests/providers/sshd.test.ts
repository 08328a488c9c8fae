/**
 * The `ssh` provider against OpenSSH's own server and a real `sh`. A shell script on its PATH stands
 * in for docker's command line, whose engine needs more than a test may ask for: it keeps containers
 * as files and notes what it was given.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import type { CreateRequest, Offer, Provider } from '../../functions/core/providers/provider.ts';
import { parseHost } from '../../functions/core/providers/ssh/hosts.ts';
import { ssh } from '../../functions/core/providers/ssh.ts';
import { newSshKey } from './simulator/ssh-key.ts';

/** It must be called by its whole path. */
const sshd = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  .map((folder) => join(folder, 'sshd'))
  .find((path) => existsSync(path));
if (!sshd)
  console.log('sshd.test.ts: left out, as OpenSSH’s server is not installed (Debian: openssh-server)');

const docker = `#!/bin/sh
cd "\${0%/*}/containers" || exit 1
for last; do :; done
name=$last
no_such() { echo "Error response from daemon: No such container: $name" >&2; exit 1; }
case "$1 $2" in
'ps -a')
  for one in *.state; do
    [ -e "$one" ] || continue
    printf '{"name":"%s","state":"%s","status":"-"}\\n' "\${one%.state}" "$(cat "$one")"
  done ;;
'ps --format')
  for one in *.state; do [ -e "$one" ] && echo "\${one%.state}"; done
  exit 0 ;;
'container inspect')
  [ -e "$name.state" ] || no_such
  printf '{"Status":"%s","ExitCode":0,"Error":""}\\n' "$(cat "$name.state")" ;;
'image inspect')
  [ -e ../no-image ] && { echo "Error response from daemon: No such image: $name" >&2; exit 1; }
  echo sha256:0 ;;
'rm -f')
  rm -f "$name".* ;;
'run -d')
  tr '\\0' ' ' < /proc/$PPID/cmdline > parent.line
  while [ $# -gt 1 ]; do
    case $1 in
    --name) name=$2 ;;
    -e) eval "value=\\$$2"; printf '%s=%s\\0' "$2" "$value" >> environment ;;
    esac
    printf '%s\\0' "$1" >> arguments
    shift
  done
  mv environment "$name.environment"; mv arguments "$name.arguments"; mv parent.line "$name.parent"
  if [ -e ../no-gpu-runtime ]; then
    echo created > "$name.state"
    echo 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]' >&2
    exit 125
  fi
  echo running > "$name.state"
  echo 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef ;;
*) exit 127 ;;
esac
`;

describe.skipIf(!sshd)('own machines behind OpenSSH', () => {
  const folder = mkdtempSync(join(tmpdir(), 'aima-sshd-'));
  const bin = join(folder, 'bin');
  const containers = join(bin, 'containers');
  const [hostKey, usersKey, otherKey] = [newSshKey(), newSshKey(), newSshKey()];
  let server: ChildProcess;
  let port: number;

  beforeAll(async () => {
    mkdirSync(bin);
    const write = (name: string, text: string, mode = 0o600) =>
      writeFileSync(join(folder, name), text, { mode });
    write('bin/docker', docker, 0o755);
    write('bin/nvidia-smi', '#!/bin/sh\necho "NVIDIA GeForce RTX 3090, 24576"\n', 0o755);
    write('host-key', hostKey.private);
    write('authorized-keys', `${usersKey.public}\n`);
    port = await freePort();
    write(
      'sshd_config',
      [
        `ListenAddress 127.0.0.1:${port}`,
        `HostKey ${join(folder, 'host-key')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized-keys')}`,
        `SetEnv PATH=${bin}:/usr/bin:/bin`,
        'PidFile none',
        'StrictModes no',
        'UsePAM no',
        'PermitRootLogin yes',
      ].join('\n'),
    );
    // Debian's makes it when it starts as a service; only root's needs it.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    server = spawn(sshd!, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((ready, failed) => {
      const said: string[] = [];
      createInterface({ input: server.stderr! }).on('line', (line) => {
        said.push(line);
        if (line.startsWith('Server listening')) ready();
      });
      server.once('exit', () => failed(new Error(`sshd ended:\n${said.join('\n')}`)));
    });
  });

  afterAll(() => {
    server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    rmSync(containers, { recursive: true, force: true });
    mkdirSync(containers);
    for (const name of readdirSync(bin)) if (name.startsWith('no-')) rmSync(join(bin, name));
  });

  const open = (changes: { privateKey?: string; knownHosts?: string } = {}): Provider =>
    ssh({
      hosts: [parseHost(`${userInfo().username}@127.0.0.1:${port}`)],
      privateKey: usersKey.private,
      knownHosts: `[127.0.0.1]:${port} ${hostKey.public}`,
      image: 'registry.example/aima/worker:1',
      ...changes,
    });
  const request = (offer: Offer, environment: Record<string, string> = {}): CreateRequest => ({
    label: labelOf('tester', newId()),
    offer,
    environment,
    deadlineAt: new Date(),
    maxCostMicrodollars: 0,
  });
  const noted = (label: string, what: string) => readFileSync(join(containers, `${label}.${what}`), 'utf8');

  it('rents, lists, reads and ends a container', async () => {
    const provider = open();
    const [offer] = await provider.offers();
    expect(offer).toMatchObject({ gpu: 'NVIDIA GeForce RTX 3090', vramMb: 24_576, available: 1 });
    const wanted = request(offer!);
    const outcome = await provider.create(wanted);
    const providerInstanceId = `${offer!.offerId}/${wanted.label}`;
    expect(outcome).toEqual({ kind: 'created', providerInstanceId, priceMicrodollarsPerHour: 0 });
    expect(await provider.list()).toMatchObject([
      { providerInstanceId, label: wanted.label, status: 'running' },
    ]);
    expect(await provider.read(providerInstanceId)).toMatchObject({ status: 'running' });
    expect(await provider.offers()).toMatchObject([{ available: 0 }]);
    expect(await provider.create(request(offer!))).toMatchObject({ kind: 'refused', why: 'no_capacity' });
    await provider.terminate(providerInstanceId);
    expect(await provider.read(providerInstanceId)).toBeNull();
    expect(await provider.list()).toEqual([]);
    await provider.terminate(providerInstanceId);
  });

  it('passes values of any kind, which stand on no command line', async () => {
    const provider = open();
    const [offer] = await provider.offers();
    const environment = {
      AIMA_DATABASE_URL: 'postgres://u:p%40s@h:5432/aima?a=b&c="d"',
      AIMA_ODD: `it's $HOME \`id\` $(id) \\ "x" *;|& `,
      AIMA_LINES: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    };
    const wanted = request(offer!, environment);
    await provider.create(wanted);
    const pairs = noted(wanted.label, 'environment').split('\0').filter(Boolean);
    const given = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    expect(given).toEqual({ ...environment, AIMA_PROVIDER: 'ssh' });
    expect(noted(wanted.label, 'parent').trim()).toBe('sh');
    expect(noted(wanted.label, 'arguments')).not.toContain('p%40s');
    expect(noted(wanted.label, 'arguments').split('\0')).toEqual(
      expect.arrayContaining(['--gpus', 'all', '--restart', 'no']),
    );
  });

  it('calls a container that could not start broken, so that it is ended', async () => {
    const provider = open();
    const [offer] = await provider.offers();
    writeFileSync(join(bin, 'no-gpu-runtime'), '');
    const wanted = request(offer!);
    expect(await provider.create(wanted)).toMatchObject({
      kind: 'broken',
      providerInstanceId: `${offer!.offerId}/${wanted.label}`,
      detail: expect.stringContaining('could not select device driver'),
    });
  });

  it('makes nothing while the image is missing', async () => {
    const provider = open();
    const [offer] = await provider.offers();
    writeFileSync(join(bin, 'no-image'), '');
    expect(await provider.create(request(offer!))).toMatchObject({ kind: 'refused', why: 'no_capacity' });
    expect(await provider.list()).toEqual([]);
  });

  it('believes only the host whose key it knows, also by ssh-keyscan and hashed', async () => {
    const changed = open({ knownHosts: `[127.0.0.1]:${port} ${otherKey.public}` });
    await expect(changed.list()).rejects.toMatchObject({ reason: 'unauthorized' });
    await expect(open({ knownHosts: '' }).list()).rejects.toMatchObject({ reason: 'unauthorized' });
    const scan = ['-H', '-p', String(port), '127.0.0.1'];
    const knownHosts = execFileSync('ssh-keyscan', scan, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(knownHosts).toContain('|1|');
    expect(await open({ knownHosts }).list()).toEqual([]);
  });

  it('says that a key is not taken', async () => {
    await expect(open({ privateKey: otherKey.private }).list()).rejects.toMatchObject({
      reason: 'unauthorized',
    });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
