import { UsageError } from '../../common/usageError.ts';
import { Reader } from './reader.ts';
import { type Token, textOf } from './tokens.ts';

/** A constraint that `--columns` declares at a column, and that becomes a constraint of the table. */
interface Constraint {
  /** The name from `constraint NAME`, as SQL. */
  readonly name: string | undefined;
  /** `deferrable initially deferred`, or empty. */
  readonly timing: string;
}

/** A `unique` constraint. */
interface Unique extends Constraint {
  readonly nullsNotDistinct: boolean;
}

/** A `references` constraint. */
interface Reference extends Constraint {
  /** Schema and table, without quotes: `app_public.lists`. */
  readonly table: string;
  /** The referenced column, besides the owner column. */
  readonly column: string;
  readonly onDelete: string | undefined;
  readonly onUpdate: string | undefined;
}

/** A parsed column definition. */
export interface Definition {
  /** Type, default, `not null` and checks, without `unique` and `references`. */
  readonly text: string;
  /** The type in lower case, on one line. */
  readonly type: string;
  readonly isRequired: boolean;
  readonly isGenerated: boolean;
  readonly unique: Unique | undefined;
  readonly reference: Reference | undefined;
}

/** Keywords that end the type of a column. */
const typeEndings = new Set(
  `as check collate compression constraint default deferrable generated initially not null primary references storage
  unique`.split(/\s+/),
);

/**
 * Parses the definition behind the name of a column.
 *
 * @throws UsageError that names the column and the mistake.
 */
export function readDefinition(name: string, tokens: readonly Token[]): Definition {
  const type = textOf(tokens.slice(0, lengthOfType(tokens))).toLowerCase();
  if (!type) throw new UsageError(`The column ${name} needs a type. Write, for instance, ${name} text.`);
  const kept: Token[] = [];
  let unique: Unique | undefined;
  let reference: Reference | undefined;
  const reader = new Reader(name, tokens);
  while (reader.next) {
    const constraintName = reader.next.word === 'constraint' ? reader.peek(1)?.text : undefined;
    const keyword = reader.wordAt(constraintName === undefined ? 0 : 2);
    if (keyword === 'primary') {
      throw new UsageError(
        `The column ${name} cannot be the primary key, which is the owner column and id. Use unique instead.`,
      );
    }
    if (keyword === 'unique' && !unique) {
      reader.skip(constraintName === undefined ? 1 : 3);
      unique = readUnique(reader, constraintName);
    } else if (keyword === 'references' && !reference) {
      reader.skip(constraintName === undefined ? 1 : 3);
      reference = readReference(reader, constraintName);
    } else if (keyword === 'unique' || keyword === 'references') {
      throw new UsageError(`The column ${name} has ${keyword} twice. Write it once.`);
    } else {
      kept.push(reader.take());
    }
  }
  const code = kept
    .filter(({ depth }) => depth === 0)
    .map(({ word, text }) => word ?? (/^\W$/.test(text) ? text : "'"));
  const words = ` ${code.join(' ')} `;
  return {
    text: textOf(kept),
    type,
    isRequired: words.includes(' not null '),
    isGenerated: words.includes(' generated '),
    unique,
    reference,
  };
}

function lengthOfType(tokens: readonly Token[]): number {
  const end = tokens.findIndex(({ word, depth }) => depth === 0 && word !== undefined && typeEndings.has(word));
  return end < 0 ? tokens.length : end;
}

function readUnique(reader: Reader, constraintName: string | undefined): Unique {
  let nullsNotDistinct = false;
  if (reader.takeWords('nulls', 'not', 'distinct')) nullsNotDistinct = true;
  else reader.takeWords('nulls', 'distinct');
  if (['using', 'with', 'include'].includes(reader.wordAt(0) ?? '')) {
    reader.refuse(`unique with ${reader.wordAt(0)}`, 'write plain unique, and change the constraint in current.sql');
  }
  return { name: constraintName, nullsNotDistinct, timing: readTiming(reader) };
}

function readReference(reader: Reader, constraintName: string | undefined): Reference {
  const first = reader.takeName();
  if (reader.next?.text !== '.') {
    throw new UsageError(
      `The column ${reader.column} refers to ${first} without its schema. Write app_public.${first}.`,
    );
  }
  reader.skip(1);
  const table = `${first}.${reader.takeName()}`;
  const columns = reader.takeNames();
  if (columns.length > 1) {
    reader.refuse('references with several columns', 'name one column, because new-table adds the owner column');
  }
  let onDelete: string | undefined;
  let onUpdate: string | undefined;
  for (;;) {
    if (reader.takeWords('match', 'simple')) continue;
    if (reader.wordAt(0) === 'match') reader.refuse('match', 'leave it out, because the owner column is never null');
    if (reader.takeWords('on', 'delete')) onDelete = readAction(reader);
    else if (reader.takeWords('on', 'update')) onUpdate = readAction(reader);
    else break;
  }
  if (onUpdate?.startsWith('set ')) {
    reader.refuse(`on update ${onUpdate}`, 'leave it out, because it would clear the owner column too');
  }
  return { name: constraintName, table, column: columns[0] ?? 'id', onDelete, onUpdate, timing: readTiming(reader) };
}

const actions = [['cascade'], ['restrict'], ['no', 'action'], ['set', 'null'], ['set', 'default']] as const;

function readAction(reader: Reader): string {
  const action = actions.find((words) => reader.takeWords(...words));
  if (!action)
    return reader.refuse('this action of references', 'use cascade, restrict, no action, set null or set default');
  // foreignKey() writes the list of columns itself, because the owner column must not be in it.
  if (action[0] === 'set') reader.takeNames();
  return action.join(' ');
}

function readTiming(reader: Reader): string {
  const forms = [['not', 'deferrable'], ['deferrable'], ['initially', 'deferred'], ['initially', 'immediate']] as const;
  let timing = '';
  for (let form = take(); form; form = take()) timing += ` ${form.join(' ')}`;
  return timing;

  function take(): readonly string[] | undefined {
    return forms.find((words) => reader.takeWords(...words));
  }
}
