/**
 * Which addresses this server may call because somebody said so: media URLs and callbacks. Only
 * https, only public addresses, so that nobody reaches through us what only we can reach: this
 * machine, its network, the metadata service of a cloud (169.254.169.254).
 *
 * Names are resolved once, by us, at the moment of connecting, and the connection goes to the very
 * addresses that were checked (`lookup`): a name that answers differently the second time (DNS
 * rebinding) gains nothing. Redirects are new addresses and are checked again.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import type { Config } from '../config.ts';
import { AimaError } from '../errors.ts';

export interface AddressRules {
  protocols: readonly string[];
  /** Whether a connection to this IP address is allowed. */
  permits(address: string): boolean;
  resolve(hostname: string): Promise<LookupAddress[]>;
}

const resolveAll = promisify(systemLookup);
const resolve = (hostname: string) => resolveAll(hostname, { all: true, verbatim: true });

export function addressRules(config: Config): AddressRules {
  return config.AIMA_ALLOW_PRIVATE_ADDRESSES
    ? { protocols: ['https:', 'http:'], permits: () => true, resolve }
    : { protocols: ['https:'], permits: isPublic, resolve };
}

// https://www.iana.org/assignments/iana-ipv4-special-registry, multicast and reserved added.
const notPublicV4 = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  notPublicV4.addSubnet(net, bits);

// IPv6 is the other way round: only global unicast (2000::/3) is public, and not all of that:
// https://www.iana.org/assignments/iana-ipv6-special-registry. 6to4 and Teredo hold IPv4 addresses.
const globalV6 = new BlockList();
globalV6.addSubnet('2000::', 3, 'ipv6');
const notPublicV6 = new BlockList();
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  notPublicV6.addSubnet(net, bits, 'ipv6');
}

export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !notPublicV4.check(address);
  if (family === 6) return globalV6.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
  return false;
}

/**
 * What can be told of an address without asking the network.
 *
 * @throws AimaError `url_not_allowed`, with the reason.
 */
export function checkUrl(text: string, rules: AddressRules): URL {
  const url = URL.parse(text);
  if (!url) throw notAllowed('It is not a valid URL.');
  if (!rules.protocols.includes(url.protocol)) throw notAllowed('Only https addresses are allowed.');
  if (url.username || url.password) throw notAllowed('It must not contain a user name or password.');
  if (url.hostname === '') throw notAllowed('It names no host.');
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) && !rules.permits(literal)) throw notPublic(literal);
  return url;
}

/** For `http.request`: resolves a name and answers with checked addresses only. */
export function checkedLookup(rules: AddressRules): LookupFunction {
  return (hostname, options, callback) => {
    rules.resolve(hostname).then(
      (addresses) => {
        // All of them: a name that has a private address beside a public one is up to something.
        const refused = addresses.find(({ address }) => !rules.permits(address));
        if (refused || addresses.length === 0) callback(notPublic(refused?.address ?? hostname), []);
        else if (options.all) callback(null, addresses);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
}

function notPublic(address: string): AimaError {
  return notAllowed(`It leads to ${address}, which is not a public address.`);
}

function notAllowed(detail: string): AimaError {
  return new AimaError('url_not_allowed', detail);
}
