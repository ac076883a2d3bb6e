import type pg from 'pg';
import type { Catalog, Column, Relation, Type } from '../catalog.ts';
import { escapeRegExp, hasWord } from '../text.ts';
import { accepts, type Check, columnCandidates } from './checks.ts';
import { quoteElement } from './columnValues.ts';

/** The inputs of `hintsFor`. */
export interface HintRequest {
  /** The source text that mentions the column. */
  readonly text: string;
  readonly checks: readonly Check[];
  /** The tenants' ids. They are hints for columns of the type `idType`. */
  readonly ids: readonly string[];
  readonly idType: number | undefined;
  readonly seed: number;
  readonly n: number;
}

/** The columns that a text mentions. */
export const mentionedColumns = ({ columns }: Relation, text: string) =>
  columns.filter(({ name }) => hasWord(text, name));

/**
 * Finds values of a column that a condition may require, most likely first.
 *
 * @returns `adjacent`: values next to the column in the text. `all`: also the labels of the type, values from the rest
 *   of the text, and usual values.
 */
export async function hintsFor(
  client: pg.ClientBase,
  catalog: Catalog,
  column: Column,
  request: HintRequest,
): Promise<{ adjacent: (string | null)[]; all: (string | null)[] }> {
  const { types } = catalog;
  const { text, checks, seed, n } = request;
  const candidatesFor = (expressions: readonly string[]) =>
    columnCandidates(
      client,
      catalog,
      column,
      [...checks, ...expressions.map((expression) => ({ expression, columns: [column.name] }))],
      { seed, n },
    );
  const root = rootOf(types, column.type);
  const usual = await candidatesFor([]);
  const clauses = clausesWith(text, column.name);
  const unusual = (found: readonly string[]) => found.filter((value) => !usual.includes(value));
  const extra = await accepts(
    client,
    extras(types, root, column.name, request),
    types.get(column.type)?.name ?? 'text',
  );
  const labels = root?.kind === 'enum' ? mentionedFirst(root.labels, clauses) : [];
  const mentioned = clauses.length > 0 ? unusual(await candidatesFor(clauses)) : [];
  const times = isTime(root) ? usual.filter((value, i) => i === 0 || /^2000/.test(value)) : [];
  const hasClause = (pattern: RegExp) => clauses.some((part) => pattern.test(part));
  const readsIdentity = (part: string) =>
    [catalog.setting, ...catalog.helpers.map(({ sql }) => sql.slice(sql.lastIndexOf('.') + 1))].some((name) =>
      part.includes(name),
    );
  const adjacent: (string | null)[] = [
    ...(root?.name === 'boolean' ? ['true', 'false'] : []),
    ...(hasClause(/'/) ? labels.slice(0, 2) : []),
    ...(isTime(root) && hasClause(/[<>]|between/i) ? [times[0] as string, extra[0] as string, ...times.slice(1)] : []),
    ...(!isTime(root) && (root?.oid !== request.idType || clauses.some(readsIdentity)) ? extra : []),
    ...mentioned,
    ...(!column.notNull && hasClause(/\bnull\b/i) ? [null, ...usual.slice(0, 1)] : []),
  ];
  const all: (string | null)[] = [
    ...(root?.name === 'boolean' ? ['true', 'false'] : []),
    ...labels,
    ...extra,
    ...mentioned.slice(0, 40),
    ...times,
    ...(column.notNull ? [] : [null]),
    ...unusual(await candidatesFor([text])).slice(0, 30),
    ...usual.slice(0, 6),
  ];
  return { adjacent: [...new Set(adjacent)], all: [...new Set(all)] };
}

/** The clauses of a text that mention a column, up to the next keyword: `kind = 'x'`, `'x' = any (tags)`. */
function clausesWith(text: string, name: string): string[] {
  const word = `(?<![\\w$'])"?${escapeRegExp(name)}"?(?![\\w$'])`;
  const within = "(?:(?!\\b(?:and|or|then|when|where|from)\\b|;)(?:'(?:[^']|'')*'|[^'])){0,160}?";
  const end = '(?=\\b(?:and|or|then|when|where|from)\\b|;|$)';
  return [...text.matchAll(new RegExp(`${within}${word}${within}${end}`, 'gi'))].map(([part]) => part);
}

const mentionedFirst = (labels: readonly string[], clauses: readonly string[]) => {
  const isMentioned = (label: string) => clauses.some((part) => part.includes(`'${label}'`));
  return [...labels.filter(isMentioned), ...labels.filter((label) => !isMentioned(label))];
};

const isTime = (type: Type | undefined) => /^(date|timestamp)/.test(type?.name ?? '');

/** Values that only conditions need: tenants' ids, times near now, and JSON with the keys that the text reads. */
function extras(
  types: ReadonlyMap<number, Type>,
  type: Type | undefined,
  name: string,
  request: HintRequest,
): string[] {
  const { ids, idType, text } = request;
  const now = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  if (type?.oid === idType && type) return [...ids];
  if (type?.kind === 'array') {
    const of = rootOf(types, type.of as number);
    if (of?.oid === idType) return ids.map((id) => `{${quoteElement(id)}}`);
    const texts = clausesWith(text, name).flatMap((part) =>
      [...part.matchAll(/'((?:[^']|'')*)'/g)].map(([, one]) => one as string),
    );
    return [`{${texts.map(quoteElement).join(',')}}`, ...texts.filter((one) => one.startsWith('{'))];
  }
  if (type?.kind === 'range') return ['(,)'];
  if (type?.kind === 'multirange') return ['{(,)}'];
  if (isTime(type)) return [now(-1), now(-60), now(-60 * 24 * 3), now(60), now(60 * 24 * 3)];
  if (/^jsonb?$/.test(type?.name ?? '')) return documents(text);
  return [];
}

const path =
  /((?:\(*\s*(?:->>?|#>>?)\s*(?:'[^']*'|\d+)(?:::text(?:\[\])?)?\s*\)*\s*)+)(?:::\w+\)*\s*)?(?:(=|<>|!=|>=?|<=?|in)\s*\(?\s*(?:'([^']*)'|(true|false|-?\d+(?:\.\d+)?)))?/gi;

/** JSON objects in which every path that a text reads has the value that the text compares it with. */
function documents(text: string): string[] {
  const paths = [...text.matchAll(path)].map(([, steps = '', , quoted, bare]) => ({
    keys: [...steps.matchAll(/'([^']*)'/g)].flatMap(([, key = '']) =>
      key.startsWith('{') ? key.slice(1, -1).split(',') : [key],
    ),
    value: quoted ?? (bare === undefined ? true : JSON.parse(bare)),
  }));
  if (paths.length === 0) return [];
  const build = (make: (value: unknown) => unknown) => {
    const root: Record<string, unknown> = {};
    for (const { keys, value } of paths) {
      let at = root;
      for (const key of keys.slice(0, -1)) {
        if (typeof at[key] !== 'object' || at[key] === null) at[key] = {};
        at = at[key] as Record<string, unknown>;
      }
      const last = keys.at(-1);
      if (last !== undefined) at[last] = make(value);
    }
    return JSON.stringify(root);
  };
  return [build((value) => value), build(() => true), build(() => '1'), build((value) => Number(value) + 1 || value)];
}

/** The base type of a domain, or the type itself. */
export function rootOf(types: ReadonlyMap<number, Type>, oid: number): Type | undefined {
  const type = types.get(oid);
  return type?.kind === 'domain' ? rootOf(types, type.of as number) : type;
}
