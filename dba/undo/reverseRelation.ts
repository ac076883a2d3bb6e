import { lineKey, type SnapshotObject } from './schemaText.ts';
import { grants, type Step } from './steps.ts';

/**
 * Derives the steps that restore the lines of a table, sequence or schema that still exists.
 *
 * @param lost receives a sentence for each change that cannot be undone.
 */
export function reverseLines(
  before: SnapshotObject,
  after: SnapshotObject,
  definitions: ReadonlyMap<string, string>,
  lost: string[],
): Step[] {
  const { name } = before;
  const [old, now] = [byKey(before), byKey(after)];
  const steps: Step[] = reverseHeader(before, after, lost);
  for (const [key, line] of now) {
    if (old.get(key)?.rest === line.rest) continue;
    if (line.kind !== 'column') steps.push(...drop(name, line));
    else if (!old.has(key)) {
      steps.push({ phase: 'drop columns', sql: `alter table ${name} drop column if exists ${line.name}` });
    }
  }
  for (const [key, line] of old) {
    const present = now.get(key);
    if (present?.rest === line.rest) continue;
    if (line.kind === 'column') steps.push(...reverseColumn(name, line, present, lost));
    // Drop it before creating it even if it is missing now, so that the statements can run twice.
    else steps.push(...(present ? [] : drop(name, line)), make(name, line, definitions));
  }
  return [...steps, ...grants(before, after.lines)];
}

type Line = NonNullable<ReturnType<typeof lineKey>>;

function byKey({ lines }: SnapshotObject): Map<string, Line> {
  const keyed = lines.flatMap((line) => lineKey(line) ?? []);
  return new Map(keyed.map((line) => [`${line.kind} ${line.name}`, line]));
}

function reverseHeader({ name, header }: SnapshotObject, after: SnapshotObject, lost: string[]): Step[] {
  if (header === after.header) return [];
  const pattern = /row level security (enabled|disabled), (forced|not forced)/;
  const [flags, enabled, forced] = pattern.exec(header) ?? [];
  if (flags && after.header.replace(pattern, flags) === header) {
    const how = `${enabled === 'enabled' ? 'enable' : 'disable'} row level security, ${forced === 'forced' ? '' : 'no '}force row level security`;
    return [{ phase: 'make dependents', sql: `alter table ${name} ${how}` }];
  }
  lost.push(`${name} was "${header}": change it back by hand`);
  return [];
}

function drop(table: string, { kind, name }: Line): Step[] {
  if (kind === 'constraint') {
    const sql = `alter table ${table} drop constraint if exists ${name}`;
    return [{ phase: 'drop constraints and indexes', sql }];
  }
  if (kind === 'index') {
    // An index belongs to the schema of its table.
    const schema = table.slice(0, table.lastIndexOf('.') + 1);
    return [{ phase: 'drop constraints and indexes', sql: `drop index if exists ${schema}${name}` }];
  }
  return [{ phase: 'drop dependents', sql: `drop ${kind} if exists ${name} on ${table}` }];
}

function make(table: string, { kind, name, rest }: Line, definitions: ReadonlyMap<string, string>): Step {
  if (kind === 'constraint') {
    return { phase: 'make constraints and indexes', sql: `alter table ${table} add constraint ${name} ${rest}` };
  }
  if (kind === 'index') return { phase: 'make constraints and indexes', sql: rest };
  return { phase: 'make dependents', sql: definitions.get(`${kind} ${table} ${name}`) ?? '' };
}

const columnPattern = /^(.*?)( not null)?(?: (default|generated as) (.*))?$/;

function reverseColumn(table: string, line: Line, present: Line | undefined, lost: string[]): Step[] {
  const [, type, notNull, kind, value] = columnPattern.exec(line.rest) ?? [];
  if (!present) return [addAgain(table, line, lost)];
  const [, typeNow, notNullNow, kindNow, valueNow] = columnPattern.exec(present.rest) ?? [];
  if (type !== typeNow || [kind, kindNow].includes('generated as')) {
    lost.push(`column ${table}.${line.name} was ${line.rest} and its values were converted: change it back by hand`);
    return [];
  }
  const column = `alter table ${table} alter column ${line.name}`;
  const changes = [
    value !== valueNow && (value === undefined ? 'drop default' : `set default ${value}`),
    notNull !== notNullNow && (notNull ? 'set not null' : 'drop not null'),
  ];
  return changes.flatMap((change) => (change ? { phase: 'alter columns' as const, sql: `${column} ${change}` } : []));
}

/** Adds a dropped column without its values. Generated columns are computed again; others are null or the default. */
function addAgain(table: string, { name, rest }: Line, lost: string[]): Step {
  const [, type, notNull, kind, value] = columnPattern.exec(rest) ?? [];
  const isGenerated = kind === 'generated as';
  const definition = isGenerated ? ` generated always as (${value}) stored` : value ? ` default ${value}` : '';
  // Existing rows have no value for the column, so it can be `not null` only with a default or an expression.
  const required = notNull && (isGenerated || value !== undefined) ? ' not null' : '';
  if (!isGenerated) lost.push(`column ${table}.${name} (${rest}) was dropped with its values: it comes back empty`);
  if (notNull && !required) lost.push(`column ${table}.${name} was not null: fill it, then set not null`);
  const sql = `alter table ${table} add column if not exists ${name} ${type}${definition}${required}`;
  return { phase: 'add columns', sql };
}
