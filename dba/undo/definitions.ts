import type pg from 'pg';
import { ours } from '../../postgres/ownObjects.ts';

const queries: readonly string[] = [
  `select format('function %s', o.oid::regprocedure), pg_get_functiondef(o.oid)
   from pg_proc o join pg_namespace n on n.oid = o.pronamespace where ${ours} and o.prokind in ('f', 'p', 'w')`,

  `select format('%sview %s', case o.relkind when 'm' then 'materialized ' end, o.oid::regclass),
     format('create %sview %s%s as %s', case o.relkind when 'm' then 'materialized ' end, o.oid::regclass,
       ' with (' || array_to_string(o.reloptions, ', ') || ')', rtrim(pg_get_viewdef(o.oid), ';'))
   from pg_class o join pg_namespace n on n.oid = o.relnamespace where ${ours} and o.relkind in ('v', 'm')`,

  `select format('trigger %s %I', o.oid::regclass, t.tgname), pg_get_triggerdef(t.oid)
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_trigger t on t.tgrelid = o.oid
   where ${ours} and not t.tgisinternal`,

  `select format('rule %s %I', o.oid::regclass, r.rulename), rtrim(pg_get_ruledef(r.oid), ';')
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_rewrite r on r.ev_class = o.oid
   where ${ours} and r.rulename <> '_RETURN'`,

  `select format('policy %s %I', o.oid::regclass, p.polname), format('create policy %I on %s as %s for %s to %s%s%s',
     p.polname, o.oid::regclass, case when p.polpermissive then 'permissive' else 'restrictive' end,
     case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
     (select string_agg(coalesce(nullif(r, 0)::regrole::text, 'public'), ', ') from unnest(p.polroles) r),
     e'\\n  using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
     e'\\n  with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_policy p on p.polrelid = o.oid where ${ours}`,
];

/**
 * Reads the `create` statements of functions, views, triggers, rules and policies. The snapshot shows these on one line
 * and cannot reproduce them. Keys are `function <signature>`, `view <name>`, `trigger <table> <name>`,
 * `rule <table> <name>` and `policy <table> <name>`.
 */
export async function readDefinitions(client: pg.Client): Promise<Map<string, string>> {
  await client.query("select set_config('search_path', 'pg_catalog', false)");
  const definitions = new Map<string, string>();
  for (const text of queries) {
    const { rows } = await client.query<[string, string]>({ text, rowMode: 'array' });
    for (const [key, statement] of rows) definitions.set(key, statement.trim());
  }
  return definitions;
}

/** Reads the comments on our objects. Keys are statements without the text: `comment on table app_public.todos is`. */
export async function readComments(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ statement: string; text: string }>(`
    select format('comment on %s %s is', regexp_replace(i.type, '^.+ (column|constraint)$', '\\1'), i.identity) as statement,
      quote_literal(d.description) as text
    from pg_description d, lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
    -- Lower oids belong to the objects that come with Postgres.
    where d.objoid >= 16384 and i.type <> 'extension'
      and not exists (select from pg_depend e where e.objid = d.objoid and e.classid = d.classoid and e.deptype = 'e')`);
  return new Map(rows.map(({ statement, text }) => [statement, text]));
}
