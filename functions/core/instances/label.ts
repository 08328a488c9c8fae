/**
 * The name of our machines at a provider: `aima-<owner>-<instance id>`, 38 characters. The owner
 * part tells two installations that share an account apart; nobody's machine without our own
 * prefix is ever touched.
 */
import { idPattern } from '../ids.ts';

export function labelPrefix(owner: string): string {
  if (!/^[0-9a-z]{6}$/.test(owner)) throw new Error('The secret owner-id must be six characters a-z, 0-9.');
  return `aima-${owner}-`;
}

export function labelOf(owner: string, instanceId: string): string {
  return labelPrefix(owner) + instanceId;
}

/** The instance that a label names, or null where the machine is not ours. */
export function instanceOfLabel(owner: string, label: string): string | null {
  const prefix = labelPrefix(owner);
  const id = label.slice(prefix.length);
  return label.startsWith(prefix) && idPattern.test(id) ? id : null;
}
