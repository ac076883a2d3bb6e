import pg from 'pg';
import type { Catalog, Relation } from '../../catalog.ts';
import { addsUnusedColumns, policyProofs, refusedByDefault, unreachable } from '../equivalenceProofs.ts';
import type { EquivalenceProof, MutationOperator } from '../mutant.ts';
import { type Command, commands, policiesOf, policyName, tablesOf } from '../mutantTarget.ts';
import { alterPolicy } from '../statements.ts';

/** Lets tenants write the owner column. */
export const grantOwner: MutationOperator = function* ({ catalog, owners }) {
  for (const table of tablesOf(catalog)) {
    const column = owners.get(table.oid)?.column;
    if (!column || column.generated || column.identity === 'always') continue;
    for (const command of ['insert', 'update'] as const) {
      // If no other column has the privilege, the role does not write the table at all.
      if (column[command] || !table.columns.some((other) => other[command])) continue;
      yield {
        object: `${command} of ${table.name}.${column.name}`,
        description: `${catalog.role} may ${command} ${column.name}, the owner column of ${table.name}.`,
        sql: `grant ${command} (${pg.escapeIdentifier(column.name)}) on ${table.sql} to ${catalog.role}`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table)],
      };
    }
  }
};

/** Lets tenants write the owner column and removes the check of it. This opens both safeguards at once. */
export const ownerUnchecked: MutationOperator = function* ({ catalog, owners }) {
  for (const { table, policy } of policiesOf(catalog)) {
    const column = owners.get(table.oid)?.column;
    if (!column || column.generated || column.identity === 'always') continue;
    for (const command of ['insert', 'update'] as const) {
      if (policy.command !== command && policy.command !== 'all') continue;
      if (!table.columns.some((other) => other[command])) continue;
      if ((policy.check ?? policy.using) === 'true') continue;
      yield {
        object: `${command}, ${policyName(table, policy)}`,
        description: `${catalog.role} may ${command} ${column.name}, and WITH CHECK is true: it can give rows of ${table.name} to any tenant.`,
        sql: `grant ${command} (${pg.escapeIdentifier(column.name)}) on ${table.sql} to ${catalog.role};\n${alterPolicy(table, policy, 'with check (true)')}`,
        relations: [table.oid],
        proofs: policyProofs(catalog, table, policy),
      };
    }
  }
};

const privileges = [...commands, 'truncate', 'references', 'trigger'] as const;

/** Grants the role each privilege on a whole table that it lacks, and then all privileges to PUBLIC. */
export const grantTable: MutationOperator = function* ({ catalog }) {
  const { role } = catalog;
  for (const table of tablesOf(catalog)) {
    const missing = privileges.filter((privilege) => !table.privileges.includes(privilege));
    for (const privilege of missing) {
      yield {
        object: `${privilege} on ${table.name}`,
        description: `${role} has ${privilege} on the whole table ${table.name}.`,
        sql: `grant ${privilege} on ${table.sql} to ${role}`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), ...privilegeProofs(catalog, table, privilege)],
      };
    }
    if (missing.length === 0) continue;
    yield {
      object: `everything on ${table.name} to public`,
      description: `PUBLIC has every privilege on ${table.name}.`,
      sql: `grant all on ${table.sql} to public`,
      relations: [table.oid],
      proofs: [unreachable(catalog, table)],
    };
  }
};

function privilegeProofs(
  catalog: Catalog,
  table: Relation,
  privilege: (typeof privileges)[number],
): EquivalenceProof[] {
  const command = commands.find((name): name is Command => name === privilege);
  return command ? [refusedByDefault(catalog, table, command), addsUnusedColumns(catalog, table, command)] : [];
}

/** Grants a sequence, which reveals to every tenant how many rows the others insert. */
export const grantSequence: MutationOperator = function* ({ catalog }) {
  for (const sequence of catalog.sequences) {
    for (const privilege of ['select', 'usage', 'update']) {
      if (!sequence.usage || sequence.privileges.includes(privilege)) continue;
      yield {
        object: `${privilege} on ${sequence.name}`,
        description: `${catalog.role} has ${privilege} on the sequence ${sequence.name}, which all tenants share.`,
        sql: `grant ${privilege} on sequence ${sequence.sql} to ${catalog.role}`,
      };
    }
  }
};
