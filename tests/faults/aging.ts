/** Time that passes by making what is written down older: Postgres' own clock cannot be moved. */
import type { Sql } from '../../functions/core/database.ts';

export type TimeColumns = { table: string; columns: string[] }[];

/** Every column that holds a time; `users` is left as it is. */
export async function timeColumns(sql: Sql): Promise<TimeColumns> {
  return sql<TimeColumns>`
    select table_name as table, array_agg(column_name::text) as columns from information_schema.columns
    where table_schema = 'public' and data_type = 'timestamp with time zone' and table_name <> 'users'
    group by table_name`;
}

/** Makes everything in the database so much older. In one transaction: nobody sees half of it. */
export async function age(sql: Sql, tables: TimeColumns, ms: number): Promise<void> {
  await sql.begin(async (tx) => {
    for (const { table, columns } of tables) {
      const sets = columns.map(
        (column, n) =>
          tx`${n ? tx`,` : tx``} ${tx(column)} = ${tx(column)} - make_interval(secs => ${ms / 1000})`,
      );
      await tx`update ${tx(table)} set ${sets}`;
    }
  });
}
