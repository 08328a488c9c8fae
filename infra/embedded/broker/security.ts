import type { Client } from 'aedes';
import { type BaseLogin, setBaseLogins } from '../../broker/base-logins.ts';
import { verifyPassword } from '../../broker/passwords.ts';
import { loadState, type SecurityState, saveState } from '../../broker/state.ts';
import { filterMatchesTopic } from '../../broker/topic-filter.ts';
import { isAllowed, type Operation } from './access.ts';
import { runCommands } from './commands.ts';
import { Sessions } from './sessions.ts';

/**
 * Who may connect and what each may do: the rules in memory, their file, and the sessions they apply to.
 */
export class Security {
  readonly #state: SecurityState;
  readonly #path: string;
  readonly #maxConnectionsPerLogin: number;
  readonly #sessions = new Sessions();
  readonly #grantedFilters = new WeakMap<Client, Set<string>>();
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(state: SecurityState, path: string, maxConnectionsPerLogin: number) {
    this.#state = state;
    this.#path = path;
    this.#maxConnectionsPerLogin = maxConnectionsPerLogin;
  }

  /** Reads the file, sets the base logins and writes the file back. */
  static async open(options: {
    path: string;
    baseLogins: readonly BaseLogin[];
    maxConnectionsPerLogin: number;
    log: (line: string) => void;
  }): Promise<Security> {
    const state = await loadState(options.path, options.log);
    await setBaseLogins(state, options.baseLogins);
    await saveState(options.path, state);
    return new Security(state, options.path, options.maxConnectionsPerLogin);
  }

  /** Whether the client may connect with this login. Anonymous clients and logins without password may not. */
  async admits(client: Client, username: string | undefined, password: Buffer | undefined): Promise<boolean> {
    if (username === undefined || password === undefined) return false;
    const login = this.#state.logins.get(username);
    if (login === undefined || login.disabled) return false;
    if (login.clientid !== undefined && login.clientid !== client.id) return false;
    const { password: hash, salt, iterations } = login;
    if (hash === undefined || salt === undefined || iterations === undefined) return false;
    if (!(await verifyPassword(password, { password: hash, salt, iterations }))) return false;
    // The login may have been deleted, disabled or given a new password while the hash was computed.
    const current = this.#state.logins.get(username);
    if (current?.password !== hash || current.disabled) return false;
    if (this.#sessions.count(username) >= this.#maxConnectionsPerLogin) return false;
    this.#sessions.open(username, client);
    return true;
  }

  mayPublish(client: Client, topic: string): boolean {
    return this.#allows(client, 'publishClientSend', topic);
  }

  /** Whether the subscription is granted; remembered for `mayReceive`. */
  maySubscribe(client: Client, filter: string): boolean {
    if (!this.#allows(client, 'subscribe', filter)) return false;
    this.#grantedFilters.set(client, (this.#grantedFilters.get(client) ?? new Set()).add(filter));
    return true;
  }

  /**
   * Whether a message may be delivered. A granted filter must match it, because aedes stores all filters of a
   * SUBSCRIBE for a persistent session as soon as one of them is granted, and queues by them while the client
   * is away.
   */
  mayReceive(client: Client, topic: string): boolean {
    const filters = [...(this.#grantedFilters.get(client) ?? [])];
    return (
      filters.some((filter) => filterMatchesTopic(filter, topic)) &&
      this.#allows(client, 'publishClientReceive', topic)
    );
  }

  #allows(client: Client, operation: Operation, subject: string): boolean {
    const username = this.#sessions.usernameOf(client);
    return username !== undefined && isAllowed(this.#state, username, operation, subject);
  }

  /**
   * Carries out a control message and returns the response for its sender. Messages are taken one after the
   * other and saved before they are answered, so an answer means that the change survives a crash.
   */
  control(payload: Buffer): Promise<string> {
    const change = this.#lastChange.then(async () => {
      const { response, endSessionsOf } = await runCommands(this.#state, payload);
      for (const username of endSessionsOf) this.#sessions.endAllOf(username);
      await saveState(this.#path, this.#state);
      return response;
    });
    this.#lastChange = change.catch(() => undefined);
    return change;
  }
}
