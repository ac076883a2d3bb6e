import { descendants, type Node, nodes } from '../postgres/nodeTree.ts';
import type { PolicyFacts } from './policies.ts';
import type { IdentityKind } from './scope.ts';
import { constantOf } from './treeReads.ts';

/** Whether an expression reads the tenant, from the setting or through a function that depends on it. */
export function readsTenant(expression: Node, facts: PolicyFacts): boolean {
  return descendants(expression).some((node) => isTenantCall(node, facts));
}

export function isTenantCall(node: Node, facts: PolicyFacts): boolean {
  return identitiesOf(node, facts).length > 0;
}

/** The identities that a call depends on, by reading a setting or through a function. */
export function identitiesOf({ kind, fields }: Node, facts: PolicyFacts): readonly IdentityKind[] {
  const called = kind === 'FUNCEXPR' ? facts.functions.get(String(fields.funcid)) : undefined;
  const read = called?.name === 'current_setting' ? identitySetting(nodes(fields.args)[0], facts) : undefined;
  return read ? [read] : (called?.identities ?? []);
}

/** Whether the policies of a table read the tenant, so a subquery sees only rows of the tenant. */
export function isRestrictedToTenant(table: string, facts: PolicyFacts): boolean {
  const asked = facts.policies.filter(
    (one) => one.table === table && one.permissive && /^(select|all)$/.test(one.command),
  );
  return asked.length > 0 && asked.every(({ using }) => using && readsTenant(using, facts));
}

/** The identity whose setting a constant names, or undefined. */
export function identitySetting(
  name: Node | undefined,
  { setting, groupSetting }: PolicyFacts,
): IdentityKind | undefined {
  const text = constantOf(name)?.toLowerCase();
  if (text === undefined) return undefined;
  if (text === groupSetting?.toLowerCase()) return 'group';
  // PostgREST before version 9 has a setting for each claim.
  const isTenant =
    text === setting.toLowerCase() || (setting === 'request.jwt.claims' && text === 'request.jwt.claim.sub');
  return isTenant ? 'user' : undefined;
}

/** Claims that many users share, and the metadata that users of Supabase write themselves. */
const sharedClaims = /^(role|aud|iss|exp|iat|nbf|aal|amr|is_anonymous|user_metadata|raw_user_meta_data)$/;

/** Whether a claim, given by its keys joined by commas, distinguishes the tenant from others. */
export function isClaimOfTenant(path: string, { claims }: PolicyFacts): boolean {
  const keys = path.replace(/^\{(.*)\}$/, '$1').split(',');
  return claims ? keys.every((key) => claims.includes(key)) : !keys.some((key) => sharedClaims.test(key));
}
