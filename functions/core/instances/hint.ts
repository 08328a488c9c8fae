/**
 * By what a worker calls its own machine, a lease whose create was never answered finds it where
 * there is no list. It is the word of a stranger's computer, so it is read at the provider first.
 */
import type { Sql } from '../database.ts';

/** An expression over `instances i`: what its worker called the machine, unless another lease has that one. */
export function hintedId(sql: Sql) {
  return sql`(
    select i.worker ->> 'providerInstanceId' where not exists (
      select from instances other where other.provider = i.provider and other.state <> 'terminated'
        and other.provider_instance_id = i.worker ->> 'providerInstanceId'))`;
}
