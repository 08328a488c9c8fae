/**
 * What a provider is: whoever rents machines out. An adapter is one file beside this one that
 * translates these calls and decides nothing; `providers.ts` lists them.
 *
 * What makes renting safe is not in the adapters but in how their answers are read
 * (core/instances/): a create that did not answer clearly is in doubt, an error is never "gone".
 */

/** What a provider would rent now. */
export interface Offer {
  provider: string;
  /** What `create` must be told to get it. */
  offerId: string;
  /** `NVIDIA GeForce RTX 4090`; null for a machine without a GPU. */
  gpu: string | null;
  vramMb: number;
  region: string | null;
  priceMicrodollarsPerHour: number;
  /** How many of it may be rented now. */
  available: number;
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
}

/** `refused` is only for what surely made no machine; every doubt must throw. */
export type CreateOutcome =
  | { kind: 'created'; providerInstanceId: string; priceMicrodollarsPerHour: number }
  | { kind: 'refused'; why: 'no_capacity' | 'no_credit' | 'invalid'; detail: string };

/** A machine as the provider tells of it. Its status is a hint; readiness is the worker's hello. */
export interface Machine {
  providerInstanceId: string;
  label: string;
  status: 'starting' | 'running' | 'ending';
}

export interface Provider {
  readonly name: string;
  /** After so long a create that did not answer counts as lost. */
  readonly createTimeoutMs: number;
  /** How far its list may lag behind what was created: so long a lost create is looked for. */
  readonly listLagMs: number;
  /** What could be rented now, in any order. */
  offers(): Promise<Offer[]>;
  /** Sent once and never resent by the adapter. @throws whenever a machine may exist all the same. */
  create(request: CreateRequest): Promise<CreateOutcome>;
  /** Every machine of the account, also other people's. @throws rather than answer incompletely. */
  list(): Promise<Machine[]>;
  /** One machine by its id; null only for a clear "there is none such". @throws on every doubt. */
  read(providerInstanceId: string): Promise<Machine | null>;
  /** Asks the provider to end it, and returns when that was acknowledged. Harmless twice. */
  terminate(providerInstanceId: string): Promise<void>;
}
