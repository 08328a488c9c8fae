import { Client } from 'minio';

/** A client of an S3 server that addresses buckets by path, as every server understands it. */
export function storeClient(options: {
  endpoint: string;
  region: string;
  accessKey: string;
  secretKey: string;
}): Client {
  const url = new URL(options.endpoint);
  return new Client({
    endPoint: url.hostname,
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    useSSL: url.protocol === 'https:',
    region: options.region,
    pathStyle: true,
    accessKey: options.accessKey,
    secretKey: options.secretKey,
  });
}
