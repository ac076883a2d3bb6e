import { reverseLines } from './reverseRelation.ts';
import { parseSnapshot, type SnapshotObject } from './schemaText.ts';
import { grants, order, type Step } from './steps.ts';

/** The statements that restore an earlier schema. */
export interface Reverse {
  readonly statements: readonly string[];
  /** Changes that the statements cannot undo, a sentence each. */
  readonly lost: readonly string[];
}

/**
 * Derives the statements that lead from the schema `after` back to `before`. Each can run twice.
 *
 * @param before the earlier schema, as text of `describeSchema`.
 * @param after the current schema, as text of `describeSchema`.
 * @param definitions the result of `readDefinitions` for the earlier schema.
 */
export function reverse(before: string, after: string, definitions: ReadonlyMap<string, string>): Reverse {
  const [old, now] = [parseSnapshot(before), parseSnapshot(after)];
  const steps: Step[] = [];
  const lost: string[] = [];
  const tables: string[] = [];
  for (const [key, object] of now) {
    if (old.has(key)) continue;
    const { kind, name, header } = object;
    if (kind.endsWith('table')) tables.push(name);
    else if (byHand.has(kind)) lost.push(`${key} were set: restore them by hand`);
    else steps.push({ phase: dropPhase(kind), sql: `drop ${dropKind(kind, header)} if exists ${name}` });
  }
  // In one statement, because the tables may reference each other.
  if (tables.length > 0) steps.push({ phase: 'drop tables', sql: `drop table if exists ${tables.join(', ')}` });
  for (const [key, object] of old) {
    const present = now.get(key);
    if (present && present.header === object.header && sameLines(present, object)) continue;
    const definition = definitions.get(key);
    steps.push(...(present ? reverseProperties(object, present, lost) : []));
    if (object.kind === 'function' || object.kind.endsWith('view')) {
      if (definition) steps.push(...remake(object, present, definition));
    } else if (present && !byHand.has(object.kind) && !unaltered.has(object.kind)) {
      steps.push(...reverseLines(object, present, definitions, lost));
    } else lost.push(present ? `${key} was changed: change it back by hand` : `${key} was dropped with its contents`);
  }
  const sorted = order.flatMap((phase) => steps.filter((step) => step.phase === phase));
  return { statements: sorted.map(({ sql }) => sql), lost };
}

/** Kinds that are settings, not objects, and cannot be dropped. */
const byHand = new Set(['default privileges', 'settings of', 'privileges on']);

/** Kinds that the snapshot describes on one line. Changes of them are not reversed. */
const unaltered = new Set(['type', 'aggregate', 'operator', 'operator class', 'cast', 'extension']);

/** Restores the owner and the replica identity, which the snapshot shows only if they are not the default. */
function reverseProperties(object: SnapshotObject, present: SnapshotObject, lost: string[]): Step[] {
  const property = (lines: readonly string[], name: string) =>
    lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  const owner = property(object.lines, 'owner') ?? 'hedgerow_owner';
  if (owner !== (property(present.lines, 'owner') ?? 'hedgerow_owner')) {
    lost.push(`${object.kind} ${object.name} belonged to ${owner}: restore the owner by hand`);
  }
  const identity = property(object.lines, 'replica identity') ?? 'default';
  if (identity === (property(present.lines, 'replica identity') ?? 'default')) return [];
  return [{ phase: 'make dependents', sql: `alter table ${object.name} replica identity ${identity}` }];
}

function remake(object: SnapshotObject, present: SnapshotObject | undefined, definition: string): Step[] {
  const { kind, name, header } = object;
  const isFunction = kind === 'function';
  const result = (text = '') => / returns (.*?), \w+, (?:immutable|stable|volatile)/.exec(text)?.[1];
  // `create or replace` keeps the grants of a function, but requires the same result type. A view cannot lose columns.
  const dropped = isFunction ? result(present?.header) !== result(header) : shape(present) !== shape(object);
  const steps: Step[] = [];
  if (dropped)
    steps.push({ phase: isFunction ? 'drop functions' : 'drop dependents', sql: `drop ${kind} if exists ${name}` });
  if (dropped || header !== present?.header) {
    steps.push({ phase: isFunction ? 'make functions' : 'make views', sql: definition });
  }
  return [...steps, ...grants(object, dropped ? [] : (present?.lines ?? []))];
}

/** Returns the description of an object without its grants. */
function shape(object: SnapshotObject | undefined): string | undefined {
  return object && [object.header, ...object.lines.filter((line) => !line.startsWith('grant '))].join('\n');
}

function sameLines(one: SnapshotObject, other: SnapshotObject): boolean {
  return one.lines.join('\n') === other.lines.join('\n');
}

function dropPhase(kind: string): Step['phase'] {
  if (['aggregate', 'operator', 'operator class', 'cast'].includes(kind)) return 'drop dependents';
  if (kind === 'function') return 'drop functions';
  if (kind.endsWith('view')) return 'drop dependents';
  return kind === 'schema' ? 'drop schemas' : 'drop types';
}

function dropKind(kind: string, header: string): string {
  return header.includes(': domain over ') ? 'domain' : kind;
}
