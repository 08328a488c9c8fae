/**
 * The states of an instance (a lease on one rented machine), and what a crash in each leaves:
 *
 * - `requested`: the row is committed, the provider was or will be asked in a moment. A crash
 *   here leaves a row that may or may not have a machine: the sweep makes it `in_doubt`.
 * - `in_doubt`: the answer to create was lost. The label is looked up for a while; found means
 *   `booting`, and as the machine may still appear late, never found means `terminating`, where
 *   it is looked for again before it is called gone.
 * - `booting`: the provider says it exists; its worker has not said hello.
 * - `ready`: the worker's first heartbeat came. What the provider says is only a hint.
 * - `terminating`: it is to end, and counts as billed until the provider, asked to delete it,
 *   answered two reads with "no such". Asked again for ever.
 * - `terminated`: gone, proven.
 *
 * Boot timeout, lost contact, preemption, deadline, budget, done are reasons on the edge to
 * `terminating`, never states. Only a create that was refused without doubt (no stock, no
 * credit) goes from `requested` straight to `terminated`.
 */
export const instanceTransitions = {
  '': ['requested'],
  requested: ['in_doubt', 'booting', 'ready', 'terminating', 'terminated'],
  in_doubt: ['booting', 'ready', 'terminating'],
  booting: ['ready', 'terminating'],
  ready: ['terminating'],
  terminating: ['terminated'],
  terminated: [],
} as const satisfies Record<string, readonly string[]>;
