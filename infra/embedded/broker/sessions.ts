import type { Client } from 'aedes';

/**
 * The open connections of each login, so that a deleted login is cut off at once and one login cannot take
 * all connections. aedes itself knows clients by their MQTT client id only.
 */
export class Sessions {
  readonly #clientsOf = new Map<string, Set<Client>>();
  readonly #usernameOf = new WeakMap<Client, string>();

  open(username: string, client: Client): void {
    const clients = this.#clientsOf.get(username) ?? new Set();
    this.#clientsOf.set(username, clients.add(client));
    this.#usernameOf.set(client, username);
    // The connection's end is the one event that comes on every path, also when it broke before CONNACK.
    client.conn.once('close', () => {
      clients.delete(client);
      if (clients.size === 0 && this.#clientsOf.get(username) === clients) this.#clientsOf.delete(username);
    });
  }

  usernameOf(client: Client): string | undefined {
    return this.#usernameOf.get(client);
  }

  count(username: string): number {
    return this.#clientsOf.get(username)?.size ?? 0;
  }

  endAllOf(username: string): void {
    for (const client of this.#clientsOf.get(username) ?? []) client.close();
  }
}
