import { lineKey, type SnapshotObject } from './schemaText.ts';

/** The order in which a reverse runs: what depends on something goes before it, and comes back behind it. */
export const order = [
  'drop dependents',
  'drop constraints and indexes',
  'alter columns',
  'drop columns',
  'drop tables',
  'drop functions',
  'drop types',
  'drop schemas',
  'make functions',
  'add columns',
  'make views',
  'make constraints and indexes',
  'make dependents',
  'grant',
] as const;

/** A statement of the reverse, and when it runs. */
export interface Step {
  readonly phase: (typeof order)[number];
  readonly sql: string;
}

/** Revokes what roles have got since, and grants what they had. Of an object that is made again nothing is `present`. */
export function grants({ kind, name, lines }: SnapshotObject, present: readonly string[]): Step[] {
  const on = ['function', 'schema', 'sequence'].includes(kind) ? `${kind} ${name}` : name;
  const [had, has] = [lines.flatMap(privileges), present.flatMap(privileges)];
  const missing = (from: readonly Privilege[]) => (one: Privilege) => !from.some(({ text }) => text === one.text);
  const columns = lines.flatMap((line) => lineKey(line)?.name ?? []);
  // A column that is dropped takes its privileges with it.
  const revoked = has.filter(missing(had)).filter(({ column }) => !column || columns.includes(column));
  // To revoke a privilege on a table is to revoke it on its columns.
  const regranted = (one: Privilege) =>
    revoked.some(({ role, privilege, column }) => !column && role === one.role && privilege === one.privilege);
  const granted = had.filter((one) => missing(has)(one) || regranted(one));
  return [
    ...revoked.map(({ what, role }) => `revoke ${what} on ${on} from ${role}`),
    ...granted.map(({ what, grantee }) => `grant ${what} on ${on} to ${grantee}`),
  ].map((sql) => ({ phase: 'grant', sql }));
}

interface Privilege {
  readonly privilege: string;
  readonly column: string | undefined;
  /** With ` with grant option` where it has it. */
  readonly grantee: string;
  readonly role: string;
  /** `select`, `update (title)`. */
  readonly what: string;
  readonly text: string;
}

/** Each privilege of a line by itself, so that one that cannot be granted takes no other with it. */
function privileges(line: string): Privilege[] {
  const pattern = /^grant ([a-z, ]+?)(?: \((.*)\))? to ((\S+)(?: with grant option)?)$/;
  const [, list, columns, grantee = '', role = ''] = pattern.exec(line) ?? [];
  if (!list) return [];
  const names = columns?.match(/"(?:[^"]|"")+"|[^\s,]+/g) ?? [undefined];
  return list.split(', ').flatMap((privilege) =>
    names.map((column) => {
      const what = column ? `${privilege} (${column})` : privilege;
      return { privilege, column, grantee, role, what, text: `${what} ${grantee}` };
    }),
  );
}
