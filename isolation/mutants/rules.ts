import type { Catalog, Relation } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';
import type { Catch } from './mutant.ts';
import { identities } from './mutantTarget.ts';

/**
 * Where a schema departs from what makes it hold twice: behind each of these there is another wall, so that no attack
 * gets through while the other stands. A mutant that adds a departure is caught by its rule. They are no findings of a
 * proof, because a sound schema may depart from them.
 */
export function hardeningRules(catalog: Catalog, owners: ReadonlyMap<number, Ownership>): Catch[] {
  const { tables, views, routines, role } = catalog;
  const asked = identities(catalog);
  const found: Catch[] = [];
  const add = (attack: string, table: string, evidence: string) =>
    found.push({ attack: `rule: ${attack}`, table, evidence });
  for (const table of tables) {
    const { name, rowSecurity, forced, owner, privileges, columns, policies } = table;
    const naming = namingColumns(table, owners);
    for (const column of columns.filter((each) => naming.has(each.name))) {
      for (const command of ['insert', 'update'] as const) {
        if (!column[command]) continue;
        add(
          'whose a row is, is no input',
          name,
          `${role} may ${command} ${column.name}, which says whose a row is: only the policies hold it to its tenant.`,
        );
      }
    }
    for (const privilege of ['truncate', 'references', 'trigger'].filter((each) => privileges.includes(each))) {
      add('no privilege that asks no policy', name, `${role} has ${privilege}, which asks no policy.`);
    }
    if (rowSecurity && !forced) {
      add(
        'the owner is bound, too',
        name,
        `Row-level security is not forced: ${owner} sees every row, and so does what runs as ${owner}.`,
      );
    }
    for (const policy of policies.filter(({ applies }) => applies)) {
      for (const [clause, expression] of [
        ['USING', policy.using],
        ['WITH CHECK', policy.check],
      ] as const) {
        // A policy that reads neither another table nor the clock has no other wall behind it: an attack has to notice.
        if (!expression || !/ FROM |now\(\)|CURRENT_TIMESTAMP/i.test(expression)) continue;
        if (asked.some((identity) => expression.includes(identity))) continue;
        add(
          'a policy asks who is asking',
          name,
          `${clause} of ${policy.name} does not: only what it reads may hold it to a tenant.`,
        );
      }
    }
  }
  const borrowed = [
    ...routines.filter(({ definer, executable }) => definer && executable),
    ...views.filter(
      ({ kind, options }) =>
        kind === 'view' && !options.some((option) => /^security_invoker=(true|on|1|yes)$/.test(option)),
    ),
  ];
  for (const { name, owner } of borrowed) {
    add(
      'nothing runs as another role',
      name,
      `It runs as its owner ${owner}, with all privileges of that role, and not as its caller.`,
    );
  }
  return found;
}

/** The column that says whose a row is, or those that name the parent whose it is. */
function namingColumns({ oid, foreignKeys }: Relation, owners: ReadonlyMap<number, Ownership>): ReadonlySet<string> {
  const ownership = owners.get(oid);
  if (ownership?.column) return new Set([ownership.column.name]);
  if (ownership?.kind !== 'parent') return new Set();
  const owned = ({ references }: { references: number }) =>
    ['own', 'parent'].includes(owners.get(references)?.kind ?? '');
  return new Set(foreignKeys.filter(owned).flatMap(({ columns }) => columns));
}
