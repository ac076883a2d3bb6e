import { escapeRegExp } from './text.ts';

/** The parts of a relation that matter for its triggers. */
interface WithTriggers {
  readonly kind: string;
  readonly schema: string;
  readonly relname: string;
  readonly triggers: readonly { readonly name: string; readonly function: number }[];
}

/** A trigger that inserts rows into another table. Example: a trigger on accounts that creates a profile for each. */
export interface TriggerInsert<Relation> {
  readonly by: Relation;
  readonly trigger: string;
  readonly table: Relation;
  /** Columns of `table` that the trigger copies from the new row, mapped to their source columns. */
  readonly copies: ReadonlyMap<string, string>;
}

interface Known<Relation> {
  readonly relations: ReadonlyMap<number, Relation>;
  readonly routines: readonly { readonly oid: number; readonly source: string }[];
}

/** Finds the triggers on one table that insert rows into another table. */
export function findTriggerInserts<Relation extends WithTriggers>({
  relations,
  routines,
}: Known<Relation>): TriggerInsert<Relation>[] {
  const sources = new Map(routines.map(({ oid, source }) => [oid, source]));
  const tables = [...relations.values()].filter(({ kind }) => kind === 'table' || kind === 'partitioned');
  return tables.flatMap((by) =>
    by.triggers.flatMap((trigger) => {
      const source = sources.get(trigger.function) ?? '';
      if (!/\binsert\s+into\b/i.test(source)) return [];
      return tables.flatMap((table): TriggerInsert<Relation>[] => {
        const [, columns = '', values = ''] = insertInto(table).exec(source) ?? [];
        if (table === by || !insertInto(table).test(source)) return [];
        return [{ by, trigger: trigger.name, table, copies: copied(columns, values) }];
      });
    }),
  );
}

/** Matches an INSERT into the table; captures its columns and its values. */
function insertInto({ schema, relname }: WithTriggers): RegExp {
  const name = `(?:"?${escapeRegExp(schema)}"?\\s*\\.\\s*)?"?${escapeRegExp(relname)}"?`;
  return new RegExp(
    `\\binsert\\s+into\\s+${name}(?![\\w$.])(?:\\s*(?:as\\s+\\w+\\s*)?\\(([^)]*)\\)\\s*(?:values\\s*\\(|select\\s)([^;]*))?`,
    'i',
  );
}

function copied(columns: string, values: string): Map<string, string> {
  const names = columns.split(',').map((name) => name.trim().replaceAll('"', ''));
  // The commas of a function call shift all later positions, so only values before the call are read.
  const given = values.split(',').map((value) => value.trim());
  const end = given.findIndex((value) => value.includes('(') && !value.includes(')'));
  return new Map(
    names.flatMap((name, at): [string, string][] => {
      if (end >= 0 && at >= end) return [];
      const [, from] = /^\(?new\.("[^"]+"|[\w$]+)/i.exec(given[at] ?? '') ?? [];
      return from === undefined ? [] : [[name, from.replaceAll('"', '')]];
    }),
  );
}
