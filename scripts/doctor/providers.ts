/** Each provider: whether its key works, what runs there, what it would offer now, and who ends a machine. */
import type { Config } from '../../functions/core/config.ts';
import { instanceOfLabel } from '../../functions/core/instances/label.ts';
import { hourly } from '../../functions/core/money.ts';
import { whyNotEligible } from '../../functions/core/planner/eligible.ts';
import type { Policy } from '../../functions/core/planner/situation.ts';
import { policyOf } from '../../functions/core/planner/snapshot.ts';
import { type Offer, type Provider, ProviderError } from '../../functions/core/providers/provider.ts';
import { sshOptions } from '../../functions/core/providers/ssh/options.ts';
import { surveyHosts } from '../../functions/core/providers/ssh/survey.ts';
import type { OpenedProvider } from '../installation.ts';
import { type Finding, fault, messageOf, ok } from './finding.ts';

const shownOffers = 5;

const switches: Record<Provider['deadMansSwitch'], string> = {
  worker_credentials: 'the worker ends its own machine, with a key that its container is given',
  auto_delete: 'the provider deletes the machine when its time or its money is up',
  exit_ends_billing: 'billing ends when the worker does',
  free: 'nothing is billed, and the worker ends by itself',
};

const advice: Record<ProviderError['reason'], string> = {
  unauthorized: 'Put a key that works among the secrets.',
  rate_limited: 'Ask again in some minutes.',
  unavailable: 'See whether it can be reached from here, and its own page of disturbances.',
  unreadable: 'Its API may have changed: look for a newer version of AIMA.',
  refused: 'Do what it says.',
};

export async function examineProvider(config: Config, opened: OpenedProvider): Promise<Finding[]> {
  const { name, provider, isConfigured } = opened;
  if (provider === null)
    return [fault(name, opened.fault!, 'Add it, or take the provider out of AIMA_PROVIDERS.')];
  const findings = await Promise.all([
    what(name, () => machines(config, provider)),
    name === 'ssh' ? hosts(config) : what(name, () => offers(config, provider)),
  ]);
  return [
    ...(isConfigured
      ? []
      : [ok(name, 'has what it needs, and is not among AIMA_PROVIDERS: nothing is rented there')]),
    ...withoutRepeats(findings.flat()),
    ok(name, `dead man's switch: ${switches[provider.deadMansSwitch]}`),
  ];
}

/** A key that is not taken is said by every call. */
function withoutRepeats(findings: Finding[]): Finding[] {
  return findings.filter(({ text }, index) => findings.findIndex((one) => one.text === text) === index);
}

async function what(name: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [faultOf(name, error)];
  }
}

function faultOf(name: string, error: unknown): Finding {
  const reason = error instanceof ProviderError ? error.reason : 'unavailable';
  return fault(name, messageOf(error), advice[reason]);
}

async function machines(config: Config, provider: Provider): Promise<Finding[]> {
  const listed = await provider.list();
  if (listed === null)
    return [ok(provider.name, 'answers; something runs or waits there, and it does not list what')];
  const owner = config.secret('owner-id');
  const ours = listed.filter(({ label }) => instanceOfLabel(owner, label) !== null);
  const others = listed.length - ours.length;
  return [
    ok(provider.name, `answers; ${ours.length} of our machines and ${others} of others are there`),
    ...ours.map(({ label, status, detail }) =>
      ok(
        provider.name,
        `  ${label} is ${status}${detail ? `: ${detail.replace(/\s+/g, ' ').slice(0, 120)}` : ''}`,
      ),
    ),
  ];
}

async function offers(config: Config, provider: Provider): Promise<Finding[]> {
  return describeOffers(provider.name, await provider.offers(), policyFor(config, provider.name));
}

/** A host that has nothing to offer hides behind those that have: each is asked for itself. */
async function hosts(config: Config): Promise<Finding[]> {
  const reports = await surveyHosts(sshOptions(config));
  return [
    ...reports.flatMap(({ fault: error }) => (error ? [faultOf('ssh', error)] : [])),
    ...describeOffers(
      'ssh',
      reports.flatMap(({ offer }) => offer ?? []),
      policyFor(config, 'ssh'),
    ),
  ];
}

/** What this provider would be allowed if it were configured. */
function policyFor(config: Config, name: string): Policy {
  return { ...policyOf(config), providers: [name] };
}

function describeOffers(name: string, all: Offer[], policy: Policy): Finding[] {
  const judged = all.map((offer) => ({
    offer,
    why: whyNotEligible(offer, policy, { providers: {}, offersAndHosts: {} }),
  }));
  const allowed = judged.flatMap(({ offer, why }) => (why === null && offer.available > 0 ? [offer] : []));
  const cheapest = allowed
    .toSorted((a, b) => a.priceMicrodollarsPerHour - b.priceMicrodollarsPerHour)
    .slice(0, shownOffers);
  const reason = judged.find(({ why }) => why !== null)?.why;
  const because = allowed.length === 0 && reason ? `, such as: ${reason}` : '';
  return [
    ok(name, `offers ${all.length}, of which policy and stock leave ${allowed.length}${because}`),
    ...cheapest.map((offer) => ok(name, `  ${describe(offer)}`)),
  ];
}

function describe({ gpu, vramMb, region, host, interruptible, priceMicrodollarsPerHour }: Offer): string {
  const parts = [
    gpu ?? 'no GPU',
    gpu === null ? null : `${Math.round(vramMb / 1000)} GB`,
    region ?? host,
    interruptible ? 'interruptible' : null,
    priceMicrodollarsPerHour === 0 ? 'free' : hourly(priceMicrodollarsPerHour),
  ];
  return parts.filter((part) => part !== null).join(', ');
}
