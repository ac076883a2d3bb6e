import type { Introspection, PgAttribute } from 'postgraphile/graphile-build-pg/pg-introspection';
import { conjuncts, isNode, type Node, nodes, parseNodeTree, type Value } from '../../postgres/nodeTree.ts';

type PgPolicy = Introspection['policies'][number];

/** Columns that say whose a row is, and the function of app_public that a policy compares each with. */
const ownerColumns: Readonly<Record<string, string>> = {
  user_id: 'current_user_id',
  organization_id: 'current_organization_id',
};

/** The oid of Postgres's operator `uuid = uuid`. */
const uuidEquals = '2972';

/**
 * Finds the owner columns that have one value in all rows that a tenant can reach: every policy of tenants says so, for
 * each command. A shared row, a membership for example, has another user's id in its owner column, so its column is not
 * found.
 */
export function pinnedColumns(introspection: Introspection): ReadonlySet<PgAttribute> {
  const functions = identityFunctions(introspection);
  const policies = policiesOfTenants(introspection);
  const protectedTables = new Set(
    introspection.classes.filter(({ relrowsecurity }) => relrowsecurity).map(({ _id }) => _id),
  );
  return new Set(
    introspection.attributes.filter(({ attrelid, attname, attnum }) => {
      const identity = functions.get(ownerColumns[attname] ?? '');
      if (identity === undefined || !protectedTables.has(attrelid)) return false;
      const pins = (expression: string | null) => pinsColumn(expression, attnum, identity);
      return ['r', 'a', 'w', 'd'].every((command) => isPinned(policies.get(attrelid) ?? [], command, pins));
    }),
  );
}

/** The policies that bind tenants, by the oid of their table. */
export function policiesOfTenants(introspection: Introspection): ReadonlyMap<string, readonly PgPolicy[]> {
  const roles = rolesOfTenants(introspection);
  return Map.groupBy(
    introspection.policies.filter(({ polroles }) => polroles?.some((oid) => roles.has(oid))),
    ({ polrelid }) => polrelid,
  );
}

/** The oids of the functions in `ownerColumns`, by name. */
function identityFunctions({ namespaces, procs }: Introspection): ReadonlyMap<string, string> {
  const schema = namespaces.find(({ nspname }) => nspname === 'app_public')?._id;
  const names = new Set(Object.values(ownerColumns));
  return new Map(
    procs
      .filter(({ proname, pronamespace, pronargs }) => pronamespace === schema && pronargs === 0 && names.has(proname))
      .map(({ proname, _id }) => [proname, _id]),
  );
}

/** The oids of roles whose policies bind tenants: hedgerow_tenant, the roles that it is a member of, and PUBLIC. */
function rolesOfTenants({ roles, auth_members }: Introspection): ReadonlySet<string> {
  const found = new Set(['0']);
  const pending = roles.filter(({ rolname }) => rolname === 'hedgerow_tenant').map(({ _id }) => _id);
  for (const role of pending) {
    if (found.has(role)) continue;
    found.add(role);
    pending.push(...auth_members.filter(({ member }) => member === role).map(({ roleid }) => roleid));
  }
  return found;
}

/** Whether `command` reaches only rows whose column is pinned: by one restrictive policy, or by all permissive ones. */
function isPinned(
  policies: readonly PgPolicy[],
  command: string,
  pins: (expression: string | null) => boolean,
): boolean {
  const applying = policies.filter(({ polcmd }) => polcmd === command || polcmd === '*');
  const pinsAll = ({ polqual, polwithcheck }: PgPolicy) => {
    const check = polwithcheck ?? polqual;
    return (command === 'a' ? [check] : command === 'w' ? [polqual, check] : [polqual]).every(pins);
  };
  const permissive = applying.filter(({ polpermissive }) => polpermissive);
  return permissive.every(pinsAll) || applying.some((policy) => !policy.polpermissive && pinsAll(policy));
}

/** Whether an expression is `column = identity()`, or has it among conditions that must all hold. */
function pinsColumn(expression: string | null, attnum: number, identity: string): boolean {
  const tree = expression === null ? null : parseNodeTree(expression);
  if (!isNode(tree)) return false;
  return conjuncts(tree).some(({ kind, fields }) => {
    if (kind !== 'OPEXPR' || fields.opno !== uuidEquals) return false;
    const sides = nodes(fields.args);
    return sides.some((side) => isColumn(side, attnum)) && sides.some((side) => isCallOf(side, identity));
  });
}

function isColumn({ kind, fields }: Node, attnum: number): boolean {
  return kind === 'VAR' && fields.varlevelsup === '0' && fields.varattno === String(attnum);
}

/** Whether an expression is `identity()` or `(select identity())`. */
function isCallOf(node: Value | undefined, identity: string): boolean {
  if (!isNode(node)) return false;
  const { kind, fields } = node;
  if (kind === 'FUNCEXPR') return fields.funcid === identity;
  const query = fields.subselect;
  // subLinkType 4 is EXPR_SUBLINK: a subquery in the place of a value.
  if (kind !== 'SUBLINK' || fields.subLinkType !== '4' || !isNode(query)) return false;
  const { jointree, targetList } = query.fields;
  const hasRows = !isNode(jointree) || nodes(jointree.fields.fromlist).length > 0;
  return !hasRows && isCallOf(nodes(targetList)[0]?.fields.expr, identity);
}
