/**
 * `ssh`: the user's own GPU machines, for nothing. A machine rented is a container of the worker's
 * image there; its id is `<host>/<label>`, known before it is made, and `docker ps` is the list.
 *
 * A container that nobody ends costs nothing, and the worker in it ends by itself; it is started
 * once and never again, so what has ended stays ended.
 */
import type { Config } from '../config.ts';
import {
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Offer,
  type Provider,
  ProviderError,
  type Refusal,
} from './provider.ts';
import { onHost, type Run } from './ssh/connection.ts';
import {
  failureOf,
  hasImage,
  listContainers,
  readContainer,
  removeContainer,
  runContainer,
  startPull,
} from './ssh/docker.ts';
import type { SshHost } from './ssh/hosts.ts';
import { accessTo, type SshOptions, sshOptions, timeoutsOf } from './ssh/options.ts';
import { isTaken, surveyHosts } from './ssh/survey.ts';

/** @throws Error that names what the configuration lacks. */
export function openSsh(config: Config): Provider {
  return ssh(sshOptions(config));
}

export function ssh(options: SshOptions): Provider {
  const byName = new Map(options.hosts.map((host) => [host.name, host]));

  /** @throws ProviderError `refused` for what is no id of these hosts: nobody can say that it is gone. */
  function locate(providerInstanceId: string): { host: SshHost; label: string } {
    const slash = providerInstanceId.lastIndexOf('/');
    const host = byName.get(providerInstanceId.slice(0, slash));
    if (!host)
      throw new ProviderError('refused', `${providerInstanceId} is on none of the hosts in AIMA_SSH_HOSTS.`);
    return { host, label: providerInstanceId.slice(slash + 1) };
  }

  return {
    name: 'ssh',
    deadMansSwitch: 'free',
    isRemote: true,
    isListed: true,
    createTimeoutMs: timeoutsOf(options).create,
    // A docker that was cut off from us goes on with what it was told: seconds, as it pulls nothing.
    listLagMs: 30_000,

    async offers(): Promise<Offer[]> {
      const reports = await surveyHosts(options);
      const offers = reports.flatMap(({ offer }) => offer ?? []);
      const fault = reports.find((report) => report.fault)?.fault;
      if (offers.length === 0 && fault) throw fault;
      return offers;
    },

    async create(request: CreateRequest): Promise<CreateOutcome> {
      const host = byName.get(request.offer.offerId);
      if (!host) return refused('offer_gone', `${request.offer.offerId} is not in AIMA_SSH_HOSTS.`);
      let isAsked = false;
      try {
        return await onHost(host, accessTo(options, 'create'), async (run) => {
          if (await isTaken(host, run)) return refused('no_capacity', `Another worker runs on ${host.name}.`);
          if (!(await hasImage(host, run, options.image))) {
            await startPull(host, run, options.image);
            return refused('no_capacity', `${host.name} pulls ${options.image} first.`);
          }
          isAsked = true;
          return await createOn(host, run, request);
        });
      } catch (error) {
        // Before `docker run` nothing can have been made.
        if (!isAsked && error instanceof ProviderError) return refused(refusals[error.reason], error.message);
        throw error;
      }
    },

    async list(): Promise<Machine[]> {
      // One host that cannot be listed makes the whole list unknown.
      const lists = await Promise.all(
        options.hosts.map(async (host) => {
          const containers = await onHost(host, accessTo(options), (run) => listContainers(host, run));
          return containers.map((one) => ({ ...one, providerInstanceId: idOf(host, one.label) }));
        }),
      );
      return lists.flat();
    },

    async read(providerInstanceId: string): Promise<Machine | null> {
      const { host, label } = locate(providerInstanceId);
      const container = await onHost(host, accessTo(options), (run) => readContainer(host, run, label));
      return container && { ...container, providerInstanceId };
    },

    async terminate(providerInstanceId: string): Promise<void> {
      const { host, label } = locate(providerInstanceId);
      await onHost(host, accessTo(options), (run) => removeContainer(host, run, label));
    },

    costs: async () => [],
  };

  /** @throws ProviderError where docker did not say clearly what came of it. */
  async function createOn(
    host: SshHost,
    run: Run,
    { label, environment }: CreateRequest,
  ): Promise<CreateOutcome> {
    const ended = await runContainer(run, {
      label,
      image: options.image,
      environment: { ...environment, AIMA_PROVIDER: 'ssh' },
    });
    const providerInstanceId = idOf(host, label);
    if (ended.code === 0) {
      if (!/^[0-9a-f]{64}$/m.test(ended.stdout))
        throw new ProviderError('unreadable', `${host.name}: docker run answered without a container's id.`);
      return { kind: 'created', providerInstanceId, priceMicrodollarsPerHour: 0 };
    }
    const failure = failureOf(host, ended);
    // The engine's own "no" leaves a container that could not start, or none. Every other end is in
    // doubt, and so is a name that is taken: that is ours, from a create whose answer was lost.
    if (failure.reason !== 'refused' || /is already in use/.test(ended.stderr)) throw failure;
    return (await readContainer(host, run, label))
      ? { kind: 'broken', providerInstanceId, detail: failure.message }
      : refused('invalid', failure.message);
  }
}

function idOf(host: SshHost, label: string): string {
  return `${host.name}/${label}`;
}

function refused(why: Refusal, detail: string): CreateOutcome {
  return { kind: 'refused', why, detail };
}

/** What it means for a create that it could not even be tried. */
const refusals: Record<ProviderError['reason'], Refusal> = {
  unauthorized: 'unauthorized',
  rate_limited: 'rate_limited',
  unavailable: 'no_capacity',
  unreadable: 'no_capacity',
  refused: 'invalid',
};
