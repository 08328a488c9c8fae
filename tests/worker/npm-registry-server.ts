/** A registry with one package, `tiny@1.0.0`, which can misbehave as networks do. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Model, NpmPackage } from '../../gpu-worker/models/manifest.ts';

export interface Behaviour {
  /** The first answers break off after this many bytes each. */
  breakAfterBytes?: number[];
  /** Answers ranges with 206; otherwise with the whole. */
  knowsRanges?: boolean;
  /** Serves only who sends it as a bearer token. */
  token?: string;
  /** Never ends an answer. */
  hangs?: boolean;
}

export interface TestRegistry {
  url: string;
  source: NpmPackage;
  behaviour: Behaviour;
  /** `GET /path` of all requests, with the range if there was one. */
  requests: string[];
  close(): Promise<void>;
}

export async function startRegistry(files: Record<string, Buffer>): Promise<TestRegistry> {
  const tarball = gzipSync(
    Buffer.concat([
      ...Object.entries(files).map(([name, content]) => tarEntry(name, content)),
      Buffer.alloc(1024),
    ]),
    { level: 0 },
  );
  const source: NpmPackage = {
    name: 'tiny',
    version: '1.0.0',
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
    sizeBytes: tarball.length,
  };
  const behaviour: Behaviour = {};
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { range, authorization } = request.headers;
    requests.push(`GET ${request.url}${range ? ` ${range}` : ''}`);
    if (behaviour.token && authorization !== `Bearer ${behaviour.token}`) {
      response.writeHead(401).end();
    } else if (request.url === '/tiny') {
      const dist = { tarball: `${url}tiny/-/tiny-1.0.0.tgz`, integrity: source.integrity };
      const version = { name: 'tiny', version: '1.0.0', dist };
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ name: 'tiny', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } }),
      );
    } else if (request.url !== '/tiny/-/tiny-1.0.0.tgz') {
      response.writeHead(404).end();
    } else {
      const start = behaviour.knowsRanges && range ? Number(/^bytes=(\d+)-$/.exec(range)![1]) : 0;
      const body = tarball.subarray(start);
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length });
      const breakAfter = behaviour.breakAfterBytes?.shift();
      if (breakAfter !== undefined) response.write(body.subarray(0, breakAfter), () => response.destroy());
      else if (behaviour.hangs) response.write(body.subarray(0, 100));
      else response.end(body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    source,
    behaviour,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A model that keeps `files` of the package as they are. */
export function tinyModel(source: NpmPackage, files: Record<string, Buffer>): Model {
  return {
    id: 'tiny-model',
    task: 'nothing',
    tier: 'packaged',
    version: '1',
    source,
    codeLicence: 'MIT',
    weightsLicence: 'MIT',
    note: null,
    languages: [],
    files: Object.entries(files).map(([name, content]) => ({
      name,
      sizeBytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      from: name,
    })),
  };
}

function tarEntry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(`package/${name}`, 0);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('        ', 148);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
