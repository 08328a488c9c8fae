/**
 * What a provider is: whoever rents machines out. An adapter is one file beside this one (or a
 * folder where it needs more) that translates these calls and decides nothing; `providers.ts`
 * lists them.
 *
 * What makes renting safe is not in the adapters but in how their answers are read
 * (core/instances/): a create that did not answer clearly is in doubt, an error is never "gone".
 */

/** What a provider would rent now. */
export interface Offer {
  provider: string;
  /** What `create` must be told to get it; the same thing has the same id in the next look. */
  offerId: string;
  /** What bad experience is remembered by beside the offer: a machine, a data centre; null where nothing is known. */
  host: string | null;
  /** `NVIDIA GeForce RTX 4090`; null for a machine without a GPU. */
  gpu: string | null;
  vramMb: number;
  /** The newest CUDA that its driver runs, as a number such as 12.4; null where it is not told. */
  cuda: number | null;
  region: string | null;
  /** Share of the time that such a machine stays up, 0..1; null where it is not told. */
  reliability: number | null;
  /** May be taken away in the middle of the work. */
  interruptible: boolean;
  /** All that runs by the hour: GPU, disk, fees. */
  priceMicrodollarsPerHour: number;
  /** Traffic into the machine and out of it, for each 10^9 bytes. */
  trafficMicrodollarsPerGb: { in: number; out: number };
  /** Into the machine, where it is told. */
  downloadMbps: number | null;
  /** From when on the provider's clock runs: from the request, or from when the container runs. */
  billedFrom: 'request' | 'start';
  /** How many of it may be rented now. */
  available: number;
  /** How many leases of it there may be at a time, where the provider would not refuse one too many itself. */
  capacity?: number;
  /** Milliseconds from `create` to the worker's hello where nothing was measured yet. */
  bootMs: number;
  /** How fast it works compared with the two CPU cores that the priors were measured on. */
  speed: number;
}

export interface CreateRequest {
  /** Unique, at most 60 characters: the machine's name at the provider. */
  label: string;
  offer: Offer;
  /** What the worker finds in its environment: addresses and the credentials of this lease alone. */
  environment: Record<string, string>;
  /** When the lease ends, for providers that delete by themselves. */
  deadlineAt: Date;
  /** The most that the lease may cost, for the same. */
  maxCostMicrodollars: number;
}

/**
 * - `created`: there is a machine; the price is what will really be billed.
 * - `broken`: there is a machine although the provider called it a failure: it is to be ended.
 * - `refused`: surely no machine was made. Every doubt must throw instead.
 */
export type CreateOutcome =
  | { kind: 'created'; providerInstanceId: string; priceMicrodollarsPerHour: number }
  | { kind: 'broken'; providerInstanceId: string; detail: string }
  | { kind: 'refused'; why: Refusal; detail: string };

/**
 * - `no_capacity`: nothing of this kind is free; `offer_gone`: this very offer was taken.
 * - `no_credit`, `unauthorized`: nothing can be had from this account until a person acts.
 * - `rate_limited`: asked too often. `invalid`: we asked for something that cannot be.
 */
export type Refusal =
  | 'no_capacity'
  | 'offer_gone'
  | 'no_credit'
  | 'unauthorized'
  | 'rate_limited'
  | 'invalid';

/** A machine as the provider tells of it. All of it is a hint; readiness is the worker's hello. */
export interface Machine {
  providerInstanceId: string;
  label: string;
  /**
   * `starting`: accepted, pulled, about to run. `running`: the container runs or is said to.
   * `failed`: it will not come up. `preempted`: taken away by the provider. `ending`: on its way out.
   * The last three may still be billed: only `read` answering null means gone.
   */
  status: 'starting' | 'running' | 'failed' | 'preempted' | 'ending';
  /** What it costs now, where the provider tells. */
  priceMicrodollarsPerHour?: number;
  /** What the provider says of its state, for people. */
  detail?: string;
}

/** What the provider says that one machine has cost so far. */
export interface BilledCost {
  providerInstanceId: string;
  microdollars: number;
}

export interface Provider {
  readonly name: string;
  /** Who ends a machine whose server is gone. A provider where nobody does gets no adapter. */
  readonly deadMansSwitch: 'worker_credentials' | 'auto_delete' | 'exit_ends_billing' | 'free';
  /** It can always list its machines; where it cannot, `list` may answer null and they are only read by id. */
  readonly isListed: boolean;
  /** The worker runs elsewhere: it needs the public address of this server (core/public-address.ts). */
  readonly isRemote: boolean;
  /** After so long a create that did not answer counts as lost. */
  readonly createTimeoutMs: number;
  /** How far its list may lag behind what was created: so long a lost create is looked for. */
  readonly listLagMs: number;
  /** What could be rented now, in any order. */
  offers(): Promise<Offer[]>;
  /** Sent once and never resent by the adapter. @throws whenever a machine may exist all the same. */
  create(request: CreateRequest): Promise<CreateOutcome>;
  /**
   * Every machine of the account, also other people's. @throws rather than answer incompletely.
   * Null: there are some, and this kind of provider does not tell which (RunPod Serverless).
   */
  list(): Promise<Machine[] | null>;
  /** One machine by its id; null only for a clear "there is none such" or a terminal state. @throws on every doubt. */
  read(providerInstanceId: string): Promise<Machine | null>;
  /** Asks the provider to end it, and returns when that was acknowledged. Harmless twice. */
  terminate(providerInstanceId: string): Promise<void>;
  /** What the provider billed for what ran since then; machines that it does not tell of are left out. */
  costs(since: Date): Promise<BilledCost[]>;
  /** Ends whatever of ours cannot be listed, where `list` answers null. */
  endAll?(): Promise<void>;
}

/**
 * Why a provider could not be asked. `retryAfterMs` where it said so itself. Never "no such machine":
 * that is an answer.
 */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly reason: 'unauthorized' | 'rate_limited' | 'unavailable' | 'unreadable' | 'refused';
  readonly retryAfterMs: number | null;

  constructor(
    reason: ProviderError['reason'],
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | null } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
