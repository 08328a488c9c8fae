import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { generate } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firstCertificate, pinned } from '../../functions/core/pinned-certificate.ts';
import { type Certificate, ensureCertificate, readCertificate } from '../../infra/certificate/certificate.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aima-certificate-'));
});
afterEach(() => rm(dir, { recursive: true }));

const dayMs = 86_400_000;

async function make(host: string): Promise<Certificate> {
  await ensureCertificate(dir, host);
  return readCertificate(dir);
}

async function write(certificate: string, key: string): Promise<void> {
  await writeFile(join(dir, 'server-certificate'), certificate);
  await writeFile(join(dir, 'server-key'), key);
}

describe('the certificate of a server', () => {
  it('is made once, for its public address, privately and for years', async () => {
    const made = await make('192.0.2.1');
    const parsed = new X509Certificate(made.certificate);
    expect(parsed.checkIP('192.0.2.1')).toBe('192.0.2.1');
    expect(Date.parse(parsed.validTo)).toBeGreaterThan(Date.now() + 9 * 365 * dayMs);
    // For a machine whose clock is wrong.
    expect(Date.parse(parsed.validFrom)).toBeLessThan(Date.now() - 300 * dayMs);
    expect((await stat(join(dir, 'server-key'))).mode & 0o777).toBe(0o600);
    expect(await make('192.0.2.1')).toEqual(made);
  });

  it('is made anew for another address, for a name too', async () => {
    const made = await make('192.0.2.1');
    const other = await make('aima.example');
    expect(other).not.toEqual(made);
    expect(new X509Certificate(other.certificate).checkHost('aima.example')).toBe('aima.example');
  });

  it('is made anew where a crash left a key that does not fit, and before it expires', async () => {
    const { certificate, key } = await make('192.0.2.1');
    const soon = await generate([{ name: 'organizationName', value: 'AIMA self-signed' }], {
      keyType: 'ec',
      notAfterDate: new Date(Date.now() + 20 * dayMs),
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '192.0.2.1' }] }],
    });
    await write(certificate, soon.private);
    const whole = await make('192.0.2.1');
    expect(whole.key).not.toBe(key);
    await write(soon.cert, soon.private);
    expect((await make('192.0.2.1')).certificate).not.toBe(soon.cert);
  });

  it('that a person put there is never replaced, and is refused where it does not fit', async () => {
    const theirs = await generate([{ name: 'commonName', value: 'aima.example' }], { keyType: 'ec' });
    await write(theirs.cert, theirs.private);
    expect((await make('aima.example')).certificate).toBe(theirs.cert);
    await expect(make('192.0.2.1')).rejects.toThrow('(server-certificate) is not for 192.0.2.1: replace it');
    expect(await readFile(join(dir, 'server-certificate'), 'utf8')).toBe(theirs.cert);
  });
});

/** Speaks TLS with what a server shows, and knows `known`. @returns null, or why not. */
async function greet(shown: { cert: string; private: string }, known: string): Promise<string | null> {
  const server = createServer({ cert: shown.cert, key: shown.private }, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const result = await new Promise<string | null>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ...pinned(known) }, () => resolve(null));
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed'));
  });
  server.close();
  return result;
}

describe('a pinned certificate', () => {
  const byName = (name: string, ca?: { key: string; cert: string }) =>
    generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      ...(ca ? { ca } : {}),
    });

  it('is believed whatever name it has, and no other is', async () => {
    const [own, other] = await Promise.all([byName('one.example'), byName('one.example')]);
    expect(await greet(own, own.cert)).toBeNull();
    expect(await greet(other, own.cert)).toMatch(/self-signed certificate/);
  });

  it('is believed without its authority, and what else that signed is not', async () => {
    const authority = await generate([{ name: 'commonName', value: 'authority' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [{ name: 'basicConstraints', cA: true }],
    });
    const ca = { key: authority.private, cert: authority.cert };
    const [own, other] = await Promise.all([byName('one.example', ca), byName('one.example', ca)]);
    expect(await greet(own, own.cert)).toBeNull();
    expect(await greet(other, own.cert)).not.toBeNull();
    // Who has the authority's own certificate as the known one does not get what it signed either.
    expect(await greet(own, authority.cert)).toMatch(/another certificate/);
  });

  it('is the first of a chain', async () => {
    const [own, other] = await Promise.all([byName('one.example'), byName('two.example')]);
    const first = new X509Certificate(firstCertificate(`${own.cert}\n${other.cert}`));
    expect(first.raw.equals(new X509Certificate(own.cert).raw)).toBe(true);
    expect(() => firstCertificate(own.private)).toThrow('There is no certificate');
  });
});
