/**
 * Where alerts go: the secret `alert-urls`, an address a line.
 *
 * - `https://…`: a signed JSON POST, as callbacks of jobs are (webhooks/sign.ts);
 * - `ntfy+https://ntfy.sh/topic`: a push message (https://docs.ntfy.sh/publish/);
 * - `smtps://user:password@host/?from=…&to=…`: mail; `to` may name several with commas between.
 *
 * The first two also with http. The owner of the installation wrote them, so they may name private
 * addresses: the rules for addresses that users give (intake/addresses.ts) do not apply.
 */

import { createHash } from 'node:crypto';
import type { Config } from '../config.ts';
import { log } from '../log.ts';

export interface HttpAddress {
  kind: 'webhook' | 'ntfy';
  /** Without the user and password that it may have been written with. */
  url: string;
  authorization: string | null;
}

export interface MailAddress {
  kind: 'smtp';
  host: string;
  port: number;
  /** TLS from the first byte; else STARTTLS. */
  isSecure: boolean;
  login: { user: string; pass: string } | null;
  from: string;
  to: string;
}

/** `id` tells addresses apart without giving any of them away. */
export type Address = { id: string } & (HttpAddress | MailAddress);

/** Faults that this process has told of: every sweep asks, and nobody reads a line twice a minute. */
const toldFaults = new Set<string>();

/** What is configured; empty where nothing is. A line that cannot be used is told in the log, by its number, once. */
export function alertAddresses(config: Config): Address[] {
  if (!config.hasSecret('alert-urls')) return [];
  const { addresses, faults } = parseAddresses(config.secret('alert-urls'));
  for (const fault of faults.filter((one) => !toldFaults.has(one))) {
    toldFaults.add(fault);
    log.error(`secret alert-urls: ${fault}`);
  }
  return addresses;
}

/** Pure. Faults name the line and never what is in it. Empty lines and those that begin with # are left out. */
export function parseAddresses(text: string): { addresses: Address[]; faults: string[] } {
  const addresses: Address[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const address = line.trim();
    if (address === '' || address.startsWith('#')) continue;
    const parsed = parseAddress(address);
    if (typeof parsed === 'string') faults.push(`line ${index + 1} ${parsed}`);
    else {
      const id = createHash('sha256').update(address).digest('hex').slice(0, 16);
      addresses.push({ id, ...parsed });
    }
  }
  return { addresses, faults };
}

function parseAddress(text: string): HttpAddress | MailAddress | string {
  const isNtfy = text.startsWith('ntfy+');
  const address = isNtfy ? text.slice('ntfy+'.length) : text;
  if (!URL.canParse(address)) return 'is not an address.';
  const url = new URL(address);
  if (/^https?:$/.test(url.protocol)) return parseHttp(isNtfy ? 'ntfy' : 'webhook', url);
  if (/^smtps?:$/.test(url.protocol) && !isNtfy) return parseMail(url);
  return 'begins with none of https://, ntfy+https://, smtp:// and smtps://.';
}

function parseHttp(kind: HttpAddress['kind'], url: URL): HttpAddress {
  const login = url.username || url.password ? `${decode(url.username)}:${decode(url.password)}` : null;
  [url.username, url.password] = ['', ''];
  const authorization = login === null ? null : `Basic ${Buffer.from(login).toString('base64')}`;
  return { kind, url: url.href, authorization };
}

function parseMail(url: URL): MailAddress | string {
  const isSecure = url.protocol === 'smtps:';
  const user = decode(url.username);
  const from = url.searchParams.get('from') ?? user;
  const to = url.searchParams.get('to');
  if (!url.hostname || !to || !from.includes('@')) return 'lacks a host, from= or to=.';
  return {
    kind: 'smtp',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    // RFC 8314: submission with TLS, and with STARTTLS.
    port: Number(url.port) || (isSecure ? 465 : 587),
    isSecure,
    login: user ? { user, pass: decode(url.password) } : null,
    from,
    to,
  };
}

/** A password with a bare % in it is taken as it stands. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
