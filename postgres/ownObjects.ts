/** SQL condition on the pg_namespace `n`: the schema belongs neither to Postgres nor to graphile-migrate. */
export const ourSchema = `n.nspname not like 'pg\\_%' and n.nspname not in ('information_schema', 'graphile_migrate')`;

/** SQL condition on the object `o` in `n`: the object does not belong to an extension either. */
export const ours = `${ourSchema}
  and not exists (select from pg_depend e where e.objid = o.oid and e.deptype = 'e')`;
