import { lineKey, type SnapshotObject } from './schemaText.ts';

/** The order of the steps. Dependents are dropped before the objects that they depend on, and created after them. */
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

/** A statement of the reverse and the phase in which it runs. */
export interface Step {
  readonly phase: (typeof order)[number];
  readonly sql: string;
}

/**
 * Revokes privileges that were granted since, and grants those that were revoked.
 *
 * @param present the current lines of the object; empty if the reverse creates the object again.
 */
export function grants({ kind, name, lines }: SnapshotObject, present: readonly string[]): Step[] {
  const on = ['function', 'schema', 'sequence'].includes(kind) ? `${kind} ${name}` : name;
  const [had, has] = [lines.flatMap(privileges), present.flatMap(privileges)];
  const missing = (from: readonly Privilege[]) => (one: Privilege) => !from.some(({ text }) => text === one.text);
  const columns = lines.flatMap((line) => lineKey(line)?.name ?? []);
  // The privileges of a dropped column disappear with it.
  const revoked = has.filter(missing(had)).filter(({ column }) => !column || columns.includes(column));
  // Revoking a privilege on a table also revokes it on the columns, so grant those again.
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
  /** The role, followed by ` with grant option` if it has that. */
  readonly grantee: string;
  readonly role: string;
  /** `select`, `update (title)`. */
  readonly what: string;
  readonly text: string;
}

/** Splits a line into single privileges, so that one that cannot be granted does not prevent the others. */
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
