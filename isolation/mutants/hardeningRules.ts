import type { Catalog, Relation } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';
import type { Catch } from './mutant.ts';
import { commands, identityMarkers } from './mutantTarget.ts';

/**
 * Finds violations of hardening rules, which protect the schema in depth. Attacks cannot detect a violation, because a
 * second safeguard still refuses them. A mutant that adds a violation is killed by the rule. Violations do not affect
 * the proof of a schema, because a sound schema may have some.
 */
export function hardeningRules(catalog: Catalog, owners: ReadonlyMap<number, Ownership>): Catch[] {
  const { tables, views, routines, role } = catalog;
  const markers = identityMarkers(catalog);
  const found: Catch[] = [];
  const add = (attack: string, table: string, evidence: string) =>
    found.push({ attack: `rule: ${attack}`, table, evidence });
  for (const table of tables) {
    const { name, rowSecurity, forced, owner, privileges, columns, policies } = table;
    const ownerColumns = ownerColumnsOf(table, owners);
    for (const column of columns.filter((each) => ownerColumns.has(each.name))) {
      for (const command of ['insert', 'update'] as const) {
        if (!column[command]) continue;
        add(
          'whose a row is, is no input',
          name,
          `${role} may ${command} ${column.name}, which determines the owner of a row: only the policies restrict its value.`,
        );
      }
    }
    for (const privilege of ['truncate', 'references', 'trigger'].filter((each) => privileges.includes(each))) {
      add('no privilege that asks no policy', name, `${role} has ${privilege}, to which no policy applies.`);
    }
    if (rowSecurity && !forced) {
      add(
        'the owner is bound, too',
        name,
        `Row-level security is not forced: ${owner} sees every row, and so does every function and view that runs as ${owner}.`,
      );
    }
    for (const policy of policies.filter(({ applies }) => applies)) {
      for (const [clause, expression] of [
        ['USING', policy.using],
        ['WITH CHECK', policy.check],
      ] as const) {
        // Without another table or the clock, a policy has no second safeguard. Attacks must detect such a policy.
        if (!expression || !/ FROM |now\(\)|CURRENT_TIMESTAMP/i.test(expression)) continue;
        if (markers.some((marker) => expression.includes(marker))) continue;
        add(
          'a policy asks who is asking',
          name,
          `${clause} of ${policy.name} does not read the current identity: only the objects that it reads can restrict it to one tenant.`,
        );
      }
    }
    for (const command of commands) {
      const allowing = policies.filter(
        (policy) => policy.applies && policy.permissive && [command, 'all'].includes(policy.command),
      );
      // Each of several policies allows rows alone. One that reads other rows depends on the policies of their tables.
      const reading = allowing.filter(({ using, check }) => / FROM /i.test(`${using} ${check}`));
      if (allowing.length > 1 && reading.length > 0)
        add(
          'a policy that reads other rows stands alone',
          name,
          `${allowing.map((policy) => policy.name).join(' and ')} allow ${command}: only the policies of other tables limit ${reading[0]?.name}.`,
        );
    }
  }
  const ownerRights = [
    ...routines.filter(({ definer, executable }) => definer && executable),
    ...views.filter(
      ({ kind, options }) =>
        kind === 'view' && !options.some((option) => /^security_invoker=(true|on|1|yes)$/.test(option)),
    ),
  ];
  for (const { name, owner } of ownerRights) {
    add(
      'nothing runs as another role',
      name,
      `It runs as its owner ${owner}, with all privileges of that role, not as its caller.`,
    );
  }
  return found;
}

/** The owner column, or the foreign key columns that refer to the parent row that has the owner. */
function ownerColumnsOf({ oid, foreignKeys }: Relation, owners: ReadonlyMap<number, Ownership>): ReadonlySet<string> {
  const ownership = owners.get(oid);
  if (ownership?.column) return new Set([ownership.column.name]);
  if (ownership?.kind !== 'parent') return new Set();
  const owned = ({ references }: { references: number }) =>
    ['own', 'parent'].includes(owners.get(references)?.kind ?? '');
  return new Set(foreignKeys.filter(owned).flatMap(({ columns }) => columns));
}
