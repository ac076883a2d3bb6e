import type { Situation } from './evaluator.ts';
import { and } from './logic.ts';
import { outcomes } from './outcomes.ts';
import type { Policy, PolicyFacts } from './policies.ts';

/** Commands that a policy for all commands applies to, by the clause that they evaluate. */
const commands = { using: ['select', 'update', 'delete'], check: ['insert', 'update'] } as const;

/**
 * Computes the possible results of the expressions of a permissive policy, together with the restrictive policies that
 * apply to the same command.
 *
 * @returns sets of TRUE, FALSE and UNKNOWN, for existing rows and for written ones. 0 if there is no such expression.
 */
export function allowed(
  policy: Policy,
  situation: Situation,
  facts: PolicyFacts,
): { readonly read: number; readonly written: number } {
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
