import type { Introspection, PgAttribute } from 'postgraphile/graphile-build-pg/pg-introspection';
import { descendants, isNode, type Node, parseNodeTree } from '../../postgres/nodeTree.ts';
import { pinnedColumns, policiesOfTenants } from './pinnedColumns.ts';

type PgPolicy = Introspection['policies'][number];

/** Reasons for which the policies of a table refuse new rows. */
interface TableRules {
  /** The owner column is `organization_id`, and is pinned: without an organization, every new row is refused. */
  readonly needsOrganization: boolean;
  /** The commands whose policies leave only the member's role as the reason of a refusal. */
  readonly decidedByRole: ReadonlySet<string>;
}

/** Explains why policies refused a new row. The policies are read with the schema. */
export interface RoleRefusals {
  readonly plugin: GraphileConfig.Plugin;
  /** Tells whether `statement`, of the server itself, writes rows that only an organization can have. */
  needsOrganization(statement: string): boolean;
  /** Tells whether the policies can refuse the rows of `statement` to a member only because of the member's role. */
  isDecidedByRole(statement: string): boolean;
}

const written = /^(?:with item .*?\n)?(insert into|update) "((?:[^"]|"")+)"\."((?:[^"]|"")+)"/s;

/** Reads the policies. Postgres reports only that a new row violates a policy. */
export function readRoleRefusals(): RoleRefusals {
  const tables = new Map<string, TableRules>();
  const find = (statement: string) => {
    const [, command = '', schema = '', table = ''] = written.exec(statement) ?? [];
    const rules = tables.get(JSON.stringify([schema, table].map((name) => name.replaceAll('""', '"'))));
    return { command: command === 'update' ? 'w' : 'a', rules };
  };
  return {
    plugin: {
      name: 'RoleRefusalsPlugin',
      version: '1.0.0',
      gather: {
        hooks: {
          pgIntrospection_introspection(_info: unknown, { introspection }: { introspection: Introspection }) {
            tables.clear();
            for (const [key, rules] of readTables(introspection)) tables.set(key, rules);
          },
        },
      } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
    },
    needsOrganization: (statement) => find(statement).rules?.needsOrganization ?? false,
    isDecidedByRole: (statement) => {
      const { command, rules } = find(statement);
      return rules?.decidedByRole.has(command) ?? false;
    },
  };
}

function readTables(introspection: Introspection): [string, TableRules][] {
  const pinned = Map.groupBy(pinnedColumns(introspection), ({ attrelid }) => attrelid);
  const policies = policiesOfTenants(introspection);
  const functions = functionsOf(introspection);
  return introspection.classes.flatMap((table): [string, TableRules][] => {
    const columns = pinned.get(table._id);
    if (!columns) return [];
    const schema = introspection.namespaces.find(({ _id }) => _id === table.relnamespace)?.nspname;
    const own = policies.get(table._id) ?? [];
    const rules = {
      needsOrganization: columns.some(({ attname }) => attname === 'organization_id'),
      decidedByRole: new Set(['a', 'w'].filter((command) => isDecidedByRole(own, command, columns, functions))),
    };
    return [[JSON.stringify([schema, table.relname]), rules]];
  });
}

/** The oids of the functions that read the identity, and among them of current_member_role(). */
interface IdentityFunctions {
  readonly all: ReadonlySet<string>;
  readonly role: string | undefined;
}

const identityFunctions = ['current_user_id', 'current_organization_id', 'current_member_role'];

function functionsOf({ namespaces, procs }: Introspection): IdentityFunctions {
  const schema = namespaces.find(({ nspname }) => nspname === 'app_public')?._id;
  const own = procs.filter(
    ({ proname, pronamespace, pronargs }) =>
      pronamespace === schema && pronargs === 0 && identityFunctions.includes(proname),
  );
  return {
    all: new Set(own.map(({ _id }) => _id)),
    role: own.find(({ proname }) => proname === 'current_member_role')?._id,
  };
}

/**
 * Whether the checks of `command` read the role, and besides it only the identity and the pinned columns, which are no
 * inputs. A written row must also be visible if the statement returns it, so the SELECT policies count too.
 */
function isDecidedByRole(
  policies: readonly PgPolicy[],
  command: string,
  pinned: readonly PgAttribute[],
  functions: IdentityFunctions,
): boolean {
  const checks = policies
    .filter(({ polcmd }) => polcmd === command || polcmd === '*')
    .map(({ polqual, polwithcheck }) => polwithcheck ?? polqual);
  const visible = policies.filter(({ polcmd }) => polcmd === 'r' || polcmd === '*').map(({ polqual }) => polqual);
  const trees = [...checks, ...visible].map((text) => (text === null ? null : parseNodeTree(text)));
  const allNodes = trees.map((tree) => (isNode(tree) ? descendants(tree) : undefined));
  const callsRole = (node: Node) => functions.role !== undefined && node.fields.funcid === functions.role;
  return (
    allNodes.slice(0, checks.length).some((nodes) => nodes?.some(callsRole)) &&
    allNodes.every((nodes) => nodes?.every((node) => isAboutIdentity(node, pinned, functions)))
  );
}

/** Kinds of nodes that read nothing by themselves. */
const neutralKinds = new Set([
  ...['OPEXPR', 'SCALARARRAYOPEXPR', 'BOOLEXPR', 'CONST', 'ARRAYEXPR', 'RELABELTYPE', 'NULLTEST', 'DISTINCTEXPR'],
  // `(select current_organization_id())`
  ...['SUBLINK', 'QUERY', 'FROMEXPR', 'TARGETENTRY'],
]);

function isAboutIdentity({ kind, fields }: Node, pinned: readonly PgAttribute[], { all }: IdentityFunctions): boolean {
  if (kind === 'FUNCEXPR') return all.has(String(fields.funcid));
  if (kind === 'VAR')
    return pinned.some(({ attnum }) => fields.varlevelsup === '0' && fields.varattno === String(attnum));
  return neutralKinds.has(kind);
}
