import { randomUUID } from 'node:crypto';
import { withClient } from '../postgres/withClient.ts';
import type { Finding } from './rule.ts';
import { pageOf } from './rules.ts';
import { hedgerow, setScope } from './scope.ts';
import { tenantTables } from './tenantTables.ts';

interface Granted extends Readonly<Record<'select' | 'insert' | 'delete', boolean>> {
  readonly object: string;
  /** A column that tenants may update, or null. */
  readonly updatable: string | null;
}

const granted = `
  select t.object, has_any_column_privilege('hedgerow_tenant', t.oid, 'select') as "select",
    has_any_column_privilege('hedgerow_tenant', t.oid, 'insert') as "insert",
    has_table_privilege('hedgerow_tenant', t.oid, 'delete') as "delete",
    (select quote_ident(a.attname) from pg_attribute a
     where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
       and has_column_privilege('hedgerow_tenant', t.oid, a.attnum, 'update') limit 1) as updatable
  from ${tenantTables} t
  -- Tenants reach a table in a schema without USAGE only through views and functions.
  where has_schema_privilege('hedgerow_tenant', (select relnamespace from pg_class c where c.oid = t.oid), 'usage')
  order by 1`;

/** SQLSTATEs of a statement timeout and a lock timeout, which are no failures of a policy. */
const notAboutPolicies = ['57014', '55P03'];

/** In milliseconds. */
const statementTimeout = 2000;

/**
 * Runs each granted command as a tenant without rows, who acts for an organization as its owner, and rolls it back: a select on the existing rows, and EXPLAIN of
 * each write. Postgres thereby checks privileges and recursion that no rule can read from the catalog.
 *
 * @param serverUrl the connection of hedgerow_authenticator, which may become a tenant.
 * @returns findings of the rule policy-not-executable, one for each table and command that fails.
 */
export function tryPolicies(serverUrl: string): Promise<Finding[]> {
  return withClient(serverUrl, async (client) => {
    const findings: Finding[] = [];
    await client.query('begin');
    try {
      await client.query(`set local search_path = pg_catalog; set local statement_timeout = ${statementTimeout}`);
      await setScope(client, hedgerow);
      const { rows } = await client.query<Granted>(granted);
      await client.query(
        `select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true),
          set_config('app.current_organization_id', $2, true), set_config('app.current_member_role', 'owner', true)`,
        [randomUUID(), randomUUID()],
      );
      for (const table of rows) {
        for (const [command, statement] of statementsFor(table)) {
          await client.query('savepoint try');
          const failure = await client.query(statement).then(
            () => undefined,
            (error: Error & { code?: string }) => error,
          );
          await client.query('rollback to savepoint try');
          if (!failure || notAboutPolicies.includes(failure.code ?? '')) continue;
          const detail = `${command} fails for every tenant: ${failure.message}`;
          const rule = 'policy-not-executable';
          findings.push({ rule, level: 'error', object: table.object, detail, page: pageOf(rule) });
        }
      }
    } finally {
      await client.query('rollback');
    }
    return findings;
  });
}

function statementsFor({ object, select, insert, updatable, delete: remove }: Granted): [string, string][] {
  const statements: [string, string][] = [];
  if (select) statements.push(['select', `select from ${object} limit 1`]);
  if (insert) statements.push(['insert', `explain insert into ${object} default values`]);
  if (updatable !== null) statements.push(['update', `explain update ${object} set ${updatable} = default`]);
  if (remove) statements.push(['delete', `explain delete from ${object}`]);
  return statements;
}
