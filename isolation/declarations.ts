import { UsageError } from '../common/usageError.ts';
import {
  DeclarationError,
  type Declarations,
  type Exception,
  type Membership,
  parseDeclarations,
} from '../lint/accessModel.ts';
import type { Catalog, Relation } from './catalog.ts';

type Known = Pick<Catalog, 'relations' | 'tables'>;

/**
 * The access model that the comments of tables declare, by the table's oid. A partition has the declarations of its root.
 *
 * @throws UsageError for a declaration with a mistake.
 */
export function declarationsOf({ tables, relations }: Known): ReadonlyMap<number, Declarations> {
  return new Map(
    tables.map((table) => {
      let root = table;
      while (root.isPartition && root.parent) root = relations.get(root.parent) as Relation;
      try {
        return [table.oid, parseDeclarations(root.comment)];
      } catch (error) {
        if (!(error instanceof DeclarationError)) throw error;
        throw new UsageError(
          `The comment of ${root.name} has a mistake: ${error.message}. See docs/dba.md, "Access model".`,
        );
      }
    }),
  );
}

/** The lines of a comment that declare who else may reach rows. */
export const exceptionLines = ({ comment }: Relation): string[] =>
  [...(comment ?? '').matchAll(/^\s*@isolation\s+((?:read|write):.*?)\s*$/gm)].map(([, text = '']) => text);

/**
 * The table that a declaration names. A name without a schema is in the schema of `from`.
 *
 * @throws UsageError if there is no such table.
 */
export function declaredTable({ relations }: Known, from: Relation, name: readonly string[]): Relation {
  const [schema, relname] = name.length === 2 ? name : [from.schema, name[0]];
  const found = [...relations.values()].find((one) => one.schema === schema && one.relname === relname);
  if (!found) throw new UsageError(`The comment of ${from.name} names ${schema}.${relname}, which does not exist.`);
  return found;
}

/** The membership that an exception reads, if any. */
export function membershipOf(exception: Exception): Membership | undefined {
  if (exception.kind === 'through') return exception.members;
  return exception.kind === 'by' ? exception.users : undefined;
}

/** The columns of owners, other users and members that comments declare. */
export function declaredUsers(catalog: Known): [Relation, string][] {
  const declared = declarationsOf(catalog);
  return catalog.tables.flatMap((table): [Relation, string][] => {
    const { owner, read = [], write = [] } = declared.get(table.oid) ?? {};
    const columns = owner?.kind === 'user' ? owner.columns : [];
    const named = [...read, ...write].flatMap((one) => (one.kind === 'user' ? [one.column] : []));
    const members = [...read, ...write].flatMap((one) => membershipOf(one) ?? []);
    if (owner?.kind === 'group') members.push(owner.members);
    return [
      ...[...columns, ...named].map((column): [Relation, string] => [table, column]),
      ...members.map((one): [Relation, string] => [declaredTable(catalog, table, one.table), one.userColumn]),
    ];
  });
}
