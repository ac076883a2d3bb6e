/** Of the pg_namespace `n`: neither Postgres' nor graphile-migrate's. */
export const ourSchema = `n.nspname not like 'pg\\_%' and n.nspname not in ('information_schema', 'graphile_migrate')`;

/** Of the object `o` in `n`: nor an extension's. */
export const ours = `${ourSchema}
  and not exists (select from pg_depend e where e.objid = o.oid and e.deptype = 'e')`;
