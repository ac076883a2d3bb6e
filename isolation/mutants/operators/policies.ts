import {
  allRowsAllowed,
  checkEqualsUsing,
  notGranted,
  ownerNotWritable,
  policyApplies,
  policyDoesNotApply,
  policyProofs,
  sameAsAnother,
  unreachable,
} from '../equivalenceProofs.ts';
import type { MutationOperator } from '../mutant.ts';
import { commands, policiesOf, policyName, tablesOf } from '../mutantTarget.ts';
import { alterPolicy, dropPolicyStatement, recreatePolicy } from '../statements.ts';

/** A policy's USING accepts every row. */
export const usingTrue: MutationOperator = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    if (!policy.using || policy.using === 'true') continue;
    // Without a WITH CHECK, USING also checks new rows. Keep that check as it was.
    const isChecked = policy.command === 'update' || policy.command === 'all';
    yield {
      object: policyName(table, policy),
      description: `USING is true: ${policy.command} reaches every row of ${table.name}.`,
      sql: alterPolicy(
        table,
        policy,
        `using (true)${isChecked ? ` with check (${policy.check ?? policy.using})` : ''}`,
      ),
      relations: [table.oid],
      proofs: policyProofs(catalog, table, policy),
    };
  }
};

/** A policy's WITH CHECK accepts every new row. */
export const checkTrue: MutationOperator = function* (target) {
  const { catalog } = target;
  for (const { table, policy } of policiesOf(catalog)) {
    if (policy.command === 'select' || policy.command === 'delete') continue;
    if ((policy.check ?? policy.using) === 'true') continue;
    yield {
      object: policyName(table, policy),
      description: `WITH CHECK is true: ${policy.command} can give a row of ${table.name} to any tenant.`,
      sql: alterPolicy(table, policy, 'with check (true)'),
      relations: [table.oid],
      proofs: [...policyProofs(catalog, table, policy), ...ownerNotWritable(target, table, policy.command)],
    };
  }
};

/** A policy loses its WITH CHECK, so USING checks new rows instead. */
export const dropCheck: MutationOperator = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    if (!policy.using || !policy.check) continue;
    yield {
      object: policyName(table, policy),
      description: `WITH CHECK is gone: only USING checks new rows of ${table.name}.`,
      sql: recreatePolicy(table, policy, { check: null }),
      relations: [table.oid],
      proofs: [...policyProofs(catalog, table, policy), checkEqualsUsing(table, policy)],
    };
  }
};

/**
 * Drops a policy. Without a permissive policy, tenants lose access and a control fails. Without a restrictive policy,
 * tenants gain access.
 */
export const dropPolicy: MutationOperator = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    yield {
      object: policyName(table, policy),
      description: policy.permissive
        ? `The policy is gone: it no longer allows ${policy.command} on ${table.name}.`
        : `The policy is gone: it no longer restricts ${policy.command} on ${table.name}.`,
      sql: dropPolicyStatement(table, policy),
      relations: [table.oid],
      proofs: policyProofs(catalog, table, policy),
    };
  }
};

/** Adds a permissive policy that accepts every row, regardless of the other permissive policies. */
export const addPolicy: MutationOperator = function* (target) {
  const { catalog } = target;
  for (const table of tablesOf(catalog)) {
    if (!table.rowSecurity) continue;
    for (const command of commands) {
      const hasUsing = command !== 'insert';
      const hasCheck = command === 'insert' || command === 'update';
      yield {
        object: `${command} on ${table.name}`,
        description: `Another policy allows ${catalog.role} to ${command} every row of ${table.name}.`,
        sql: `create policy mutant on ${table.sql} for ${command} to ${catalog.role}${hasUsing ? ' using (true)' : ''}${hasCheck ? ' with check (true)' : ''}`,
        relations: [table.oid],
        proofs: [
          unreachable(catalog, table),
          notGranted(catalog, table, command),
          allRowsAllowed(catalog, table, command),
          ...(command === 'insert' ? ownerNotWritable(target, table, command) : []),
        ],
      };
    }
  }
};

/** A restrictive policy becomes permissive, so it allows access that it should restrict. */
export const makePermissive: MutationOperator = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    if (policy.permissive) continue;
    yield {
      object: policyName(table, policy),
      description: `The policy is permissive: it allows ${policy.command} on ${table.name} instead of restricting it.`,
      sql: recreatePolicy(table, policy, { permissive: true }),
      relations: [table.oid],
      proofs: policyProofs(catalog, table, policy),
    };
  }
};

/** A policy applies to PUBLIC or to another role. */
export const policyRole: MutationOperator = function* ({ catalog }) {
  const policies = policiesOf(catalog);
  const allRoles = new Set(policies.flatMap(({ policy }) => policy.roles));
  for (const { table, policy } of policies) {
    const others = [...allRoles, 'pg_monitor'].filter((name) => name !== 'public' && !policy.roles.includes(name));
    for (const role of ['public', ...others.slice(0, 1)]) {
      if (policy.roles.includes(role)) continue;
      yield {
        object: `${policyName(table, policy)}, to ${role}`,
        description: `The policy applies to ${role} instead of ${policy.roles.join(', ')}.`,
        sql: alterPolicy(table, policy, `to ${role}`),
        relations: [table.oid],
        proofs: [
          unreachable(catalog, table),
          notGranted(catalog, table, policy.command),
          ...(policy.applies ? [] : [sameAsAnother(catalog, table, policy)]),
          ...(role === 'public' ? [policyApplies(catalog, table, policy)] : []),
          ...(role !== 'public' && role !== catalog.role ? [policyDoesNotApply(catalog, table, policy)] : []),
        ],
      };
    }
  }
};
