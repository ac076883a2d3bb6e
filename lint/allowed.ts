import { withoutSharedRows } from './declaredSharing.ts';
import type { Situation } from './evaluator.ts';
import { and } from './logic.ts';
import { outcomes } from './outcomes.ts';
import type { Policy, PolicyFacts } from './policies.ts';

/** Commands that a policy for all commands applies to, by the clause that they evaluate. */
const commands = { using: ['select', 'update', 'delete'], check: ['insert', 'update'] } as const;

interface Allowed {
  readonly read: number;
  readonly written: number;
}

/**
 * Computes the possible results of the expressions of a permissive policy, together with the restrictive policies that
 * apply to the same command. Rows that a declaration shares with others are left out, except in the situation `own row`.
 *
 * @returns sets of TRUE, FALSE and UNKNOWN, for existing rows and for written ones. 0 if there is no such expression.
 */
export function allowed(policy: Policy, situation: Situation, facts: PolicyFacts): Allowed {
  if (situation === 'own row') return allowedUnder(policy, situation, facts);
  return withoutSharedRows(policy, facts)
    .map((assumed) => allowedUnder(policy, situation, assumed))
    .reduce((found, one) => ({ read: found.read | one.read, written: found.written | one.written }), nothing);
}

const nothing: Allowed = { read: 0, written: 0 };

function allowedUnder(policy: Policy, situation: Situation, facts: PolicyFacts): Allowed {
  const restrictive = facts.policies.filter((one) => !one.permissive && one.table === policy.table);
  const results = (clause: keyof typeof commands) => {
    const own = policy[clause];
    if (own === null) return 0;
    const result = outcomes(own, policy.table, situation, facts);
    const applied = policy.command === 'all' ? commands[clause] : [policy.command];
    return applied
      .map((command) => {
        const others = restrictive.filter((one) => one.command === command || one.command === 'all');
        const conditions = others.flatMap(({ using, check }) => (clause === 'using' ? using : (check ?? using)) ?? []);
        return and([result, ...conditions.map((one) => outcomes(one, policy.table, situation, facts))]);
      })
      .reduce((found, one) => found | one, 0);
  };
  return { read: results('using'), written: results('check') };
}
