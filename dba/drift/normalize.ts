import type pg from 'pg';

/** A line of a snapshot and its object: `column title text` of `table app_public.todos`. */
export interface SchemaLine {
  readonly object: string;
  readonly line: string;
}

/** SQL that recreates a line's expression in the session's temporary schema, and a query that shows the result. */
interface Trial {
  readonly make: string;
  readonly show: string;
  readonly undo: string;
  /** The rest of the line, which must be equal on both sides. */
  readonly rest: string;
}

/** Maximum number of times that an expression is recreated. Two rounds suffice for all known cases. */
const maxRounds = 3;

/** The name of the temporary object of a trial. */
const trial = 'hedgerow_trial';

/**
 * Runs `work` in a transaction, with a function that tells whether two lines are equivalent for this version of Postgres.
 * The function recreates both expressions in the temporary schema from what Postgres shows, until both are equal or
 * `maxRounds` is reached. Then the transaction is rolled back.
 *
 * On a read-only database (a replica), no two lines are equivalent, because nothing can be created.
 */
export async function withNormalizer(
  client: pg.Client,
  work: (areSame: (one: SchemaLine, other: SchemaLine) => Promise<boolean>) => Promise<void>,
): Promise<void> {
  await client.query('begin');
  try {
    await client.query("set local search_path = pg_catalog; set local lock_timeout = '2s'");
    await work(async (one, other) => {
      let [a, b] = [one, other];
      for (let round = 0; round < maxRounds; round++) {
        const first = await recreate(client, a);
        const second = await recreate(client, b);
        if (!first || !second || first.rest !== second.rest) return false;
        if (first.line.line === second.line.line) return true;
        [a, b] = [first.line, second.line];
      }
      return false;
    });
  } finally {
    await client.query('rollback');
  }
}

/**
 * Recreates the expression of a line and returns the line as Postgres shows it then; undefined if the line has no
 * expression, or Postgres does not accept it.
 */
async function recreate(client: pg.Client, line: SchemaLine): Promise<{ line: SchemaLine; rest: string } | undefined> {
  const found = trialOf(line);
  if (!found) return undefined;
  const { make, show, undo, rest, rebuild } = found;
  try {
    const table = tableOf(line.object);
    const copy = table ? `create temporary table if not exists ${table.name} (like ${table.whole});` : '';
    await client.query(`savepoint ${trial}; ${copy} ${make}`);
    const { rows } = await client.query<{ shown: string }>(show);
    await client.query(`${undo}; release savepoint ${trial}`);
    return { line: { ...line, line: rebuild(rows[0]?.shown ?? '') }, rest };
  } catch {
    await client.query(`rollback to savepoint ${trial}`);
    return undefined;
  }
}

type Rebuilt = Trial & { rebuild(shown: string): string };

function trialOf({ object, line }: SchemaLine): Rebuilt | undefined {
  const table = tableOf(object)?.name;
  if (line.startsWith('as ') && table) return view(line);
  if (table)
    return (
      constraint(table, line) ??
      column(table, line) ??
      index(table, line) ??
      policy(table, line) ??
      trigger(table, line)
    );
  return domain(line) ?? functionBody(line);
}

const name = '(?:"(?:[^"]|"")+"|[^\\s.:"]+)';

/** The table of `table app_public.todos`, with and without its schema. */
function tableOf(object: string): { whole: string; name: string } | undefined {
  const [, whole, bare] =
    new RegExp(`^(?:partitioned |foreign )?(?:table|(?:materialized )?view) (${name}\\.(${name}))$`).exec(object) ?? [];
  return whole && bare ? { whole, name: bare } : undefined;
}

function view(line: string): Rebuilt {
  return {
    make: `create temporary view ${trial} as ${line.slice(3)}`,
    show: `select regexp_replace(pg_get_viewdef('pg_temp.${trial}'::regclass), '\\s+', ' ', 'g') as shown`,
    undo: `drop view pg_temp.${trial}`,
    rest: '',
    rebuild: (shown) => `as ${shown}`,
  };
}

function constraint(table: string, line: string): Rebuilt | undefined {
  const [, head = '', definition] = new RegExp(`^(constraint ${name}) ((?:CHECK|EXCLUDE) .*)$`).exec(line) ?? [];
  if (!definition) return undefined;
  return {
    make: `alter table pg_temp.${table} add constraint ${trial} ${definition}`,
    show: `select pg_get_constraintdef(oid) as shown from pg_constraint
      where conrelid = 'pg_temp.${table}'::regclass and conname = '${trial}'`,
    undo: `alter table pg_temp.${table} drop constraint ${trial}`,
    rest: head,
    rebuild: (shown) => `${head} ${shown}`,
  };
}

function column(table: string, line: string): Rebuilt | undefined {
  const pattern = new RegExp(`^(column ${name} (.*?)(?: not null)?) (default|generated as) (.*)$`);
  const [, head = '', type, kind = '', value] = pattern.exec(line) ?? [];
  if (!type || !value) return undefined;
  const definition = kind === 'default' ? `default (${value})` : `generated always as (${value}) stored`;
  return {
    make: `alter table pg_temp.${table} add column ${trial} ${type} ${definition}`,
    show: `select pg_get_expr(d.adbin, d.adrelid) as shown from pg_attrdef d join pg_attribute a
      on a.attrelid = d.adrelid and a.attnum = d.adnum
      where d.adrelid = 'pg_temp.${table}'::regclass and a.attname = '${trial}'`,
    undo: `alter table pg_temp.${table} drop column ${trial}`,
    rest: `${head} ${kind}`,
    rebuild: (shown) => `${head} ${kind} ${shown}`,
  };
}

function index(table: string, line: string): Rebuilt | undefined {
  const pattern = new RegExp(`^(CREATE (?:UNIQUE )?INDEX ${name} ON (?:ONLY )?\\S+) (USING .*)$`);
  const [, head = '', definition] = pattern.exec(line) ?? [];
  if (!definition) return undefined;
  return {
    make: `create index ${trial} on pg_temp.${table} ${definition}`,
    show: `select regexp_replace(pg_get_indexdef('pg_temp.${trial}'::regclass), '^.*? (?=USING )', '') as shown`,
    undo: `drop index pg_temp.${trial}`,
    rest: head,
    rebuild: (shown) => `${head} ${shown}`,
  };
}

function policy(table: string, line: string): Rebuilt | undefined {
  const pattern = new RegExp(
    `^(policy ${name}) (permissive|restrictive) for (\\w+) to (.+?)(?= using | with check |$)(.*)$`,
  );
  const [, head = '', kind = '', command = '', roles = '', expressions = ''] = pattern.exec(line) ?? [];
  if (!head) return undefined;
  const { using, check } = splitPolicy(expressions);
  const made = [using && `using (${using})`, check && `with check (${check})`].filter(Boolean).join(' ');
  const rest = `${head} ${kind} for ${command} to ${roles}`;
  return {
    make: `create policy ${trial} on pg_temp.${table} as ${kind} for ${command} to ${roles} ${made}`,
    show: `select concat(' using ' || pg_get_expr(polqual, polrelid), ' with check ' || pg_get_expr(polwithcheck, polrelid)) as shown
      from pg_policy where polrelid = 'pg_temp.${table}'::regclass and polname = '${trial}'`,
    undo: `drop policy ${trial} on pg_temp.${table}`,
    rest,
    rebuild: (shown) => `${rest}${shown}`,
  };
}

/** Splits ` using A with check B`. The keywords are those outside of parentheses and literals. */
function splitPolicy(text: string): { using: string; check: string } {
  let depth = 0;
  let at = text.startsWith(' with check ') ? 0 : text.length;
  for (const token of text.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\(|\)| with check /g)) {
    if (token[0] === '(') depth += 1;
    else if (token[0] === ')') depth -= 1;
    else if (token[0] === ' with check ' && depth === 0) at = token.index;
  }
  return { using: text.slice(' using '.length, at), check: text.slice(at + ' with check '.length) };
}

function trigger(table: string, line: string): Rebuilt | undefined {
  const pattern = new RegExp(`^(trigger ${name}) (.*?) ON (\\S+) (.*?)( disabled| enabled .)?$`);
  const [, head = '', when = '', on = '', definition, enabled = ''] = pattern.exec(line) ?? [];
  if (!definition) return undefined;
  return {
    make: `create trigger ${trial} ${when} on pg_temp.${table} ${definition}`,
    show: `select regexp_replace(pg_get_triggerdef(oid), '^.*? ON \\S+ ', '') as shown from pg_trigger
      where tgrelid = 'pg_temp.${table}'::regclass and tgname = '${trial}'`,
    undo: `drop trigger ${trial} on pg_temp.${table}`,
    rest: `${head} ${when} ${on}${enabled}`,
    rebuild: (shown) => `${head} ${when} ON ${on} ${shown}${enabled}`,
  };
}

function domain(line: string): Rebuilt | undefined {
  const [, head = '', definition] = /^(type .*?: domain over .*?) (CHECK .*)$/.exec(line) ?? [];
  if (!definition) return undefined;
  return {
    make: `create domain pg_temp.${trial} as ${head.replace(/^.*?: domain over /, '')} ${definition}`,
    show: `select string_agg(pg_get_constraintdef(oid), ' ' order by conname) as shown from pg_constraint
      where contypid = 'pg_temp.${trial}'::regtype and contype = 'c'`,
    undo: `drop domain pg_temp.${trial}`,
    rest: head,
    rebuild: (shown) => `${head} ${shown}`,
  };
}

function functionBody(line: string): Rebuilt | undefined {
  const pattern = new RegExp(
    `^(function (?:${name}\\.)?(${name})\\((.*?)\\) returns (.*?), sql, .*?): ((?:BEGIN ATOMIC|RETURN) .*)$`,
  );
  const [, head = '', called = '', types = '', result = '', body] = pattern.exec(line) ?? [];
  if (!body) return undefined;
  // The body qualifies its parameters with the name of the function: `f.parameter`. So the copy needs the same name.
  const named = / arguments \((.*?)\)(?=, set |$)/.exec(head)?.[1] ?? types;
  return {
    make: `create function pg_temp.${called}(${named}) returns ${result} language sql ${body}`,
    show: `select regexp_replace(pg_get_function_sqlbody(oid), '\\s+', ' ', 'g') as shown from pg_proc
      where pronamespace = pg_my_temp_schema()`,
    undo: `drop function pg_temp.${called}`,
    rest: head,
    rebuild: (shown) => `${head}: ${shown}`,
  };
}
