import type { QualifiedName } from './nameIndex.ts';
import { clock } from './sessionFunctions.ts';
import { expressionFrom, isInCall, isWord, type Token, textConstant, tokenize } from './sourceTokens.ts';

/** A function call in a text. */
interface Call extends QualifiedName {
  /** The number of arguments. */
  readonly count: number;
}

/** The names that the text of a function reads. */
export interface SourceReads {
  /** Settings that it reads. `undefined` stands for a computed name. */
  readonly settings: readonly (string | undefined)[];
  readonly calls: readonly Call[];
  /** All names that can be relations. */
  readonly names: readonly QualifiedName[];
  /** Names in positions where SQL reads or writes a table. */
  readonly tables: readonly QualifiedName[];
  /** Names behind FROM and JOIN, except calls and common table expressions. */
  readonly sources: readonly QualifiedName[];
  /** Keywords with a value of the session, such as session_user. */
  readonly keywords: readonly string[];
  /** Whether it runs SQL that it composes at run time. */
  readonly isDynamic: boolean;
  /** Whether it reads the clock. */
  readonly tellsTime: boolean;
  /** Whether a condition can prevent parts of it from running. */
  readonly isConditional: boolean;
}

/** Keywords with a value of the session. Before a parenthesis they are function names. */
const sessionKeywords = /^(current_user|session_user|current_role|user|system_user|current_catalog|current_schema)$/;

/**
 * Reads the text of a function in SQL or PL/pgSQL for which Postgres stores no node tree. It prefers false positives to
 * missed names. It reads dynamic SQL only if that is a constant text.
 */
export function readSource(source: string): SourceReads {
  return readTokens(tokenize(source));
}

/**
 * Reads the part of a PL/pgSQL function that every run reaches: the statements up to the first branch or `return`. A
 * function with an exception handler has no such part.
 */
export function readUnconditional(source: string): SourceReads {
  const tokens = tokenize(source);
  const next = (from: number, words: RegExp) => {
    const index = tokens.findIndex((_, at) => at >= from && isWord(tokens, at, words));
    return index < 0 ? tokens.length : index;
  };
  const isHandler = (index: number) => isWord(tokens, index, /^exception$/) && isWord(tokens, index + 1, /^when$/);
  if (tokens.some((_, index) => isHandler(index))) return readTokens([]);
  const returned = next(0, /^return$/);
  const ended = tokens.findIndex(({ kind, text }, at) => at > returned && kind === 'symbol' && text === ';');
  // Every run evaluates the condition of the first branch or the query of the first loop.
  const branch = next(0, /^(if|case|loop|while|for|foreach)$/);
  const branched = next(branch, /^(then|when|loop)$/);
  return readTokens(tokens.slice(0, ended < 0 ? branched : Math.min(branched, ended)));
}

function readTokens(tokens: readonly Token[]): SourceReads {
  const at = (index: number, text: string) => tokens[index]?.kind === 'symbol' && tokens[index]?.text === text;
  const reads = {
    settings: [] as (string | undefined)[],
    calls: [] as Call[],
    names: [] as SourceReads['names'][number][],
    tables: [] as SourceReads['tables'][number][],
    sources: [] as SourceReads['sources'][number][],
    keywords: [] as string[],
    isDynamic: false,
    tellsTime: tokens.some(
      ({ kind, text }, index) => kind === 'word' && (clock.test(text) || (text === 'age' && at(index + 1, '('))),
    ),
    isConditional: tokens.some((_, index) => isWord(tokens, index, conditions)),
  };
  const ctes = new Set(
    tokens.flatMap(({ text }, index) =>
      isWord(tokens, index + 1, /^as$/) && (at(index + 2, '(') || isWord(tokens, index + 2, /^(not|materialized)$/))
        ? [text]
        : [],
    ),
  );
  for (const [index, { kind, text, quoted }] of tokens.entries()) {
    if (kind !== 'word') continue;
    // Skip the schema here. The name after it reads it.
    if (at(index + 1, '.') && tokens[index + 2]?.kind === 'word' && !at(index - 1, '.')) continue;
    const schema = at(index - 1, '.') && tokens[index - 2]?.kind === 'word' ? tokens[index - 2]?.text : undefined;
    const before = schema === undefined ? index - 1 : index - 3;
    if (at(index + 1, '(')) {
      const given = argumentsFrom(tokens, index + 2);
      reads.calls.push({ schema, name: text, count: given.length });
      if (text === 'current_setting' && (schema === undefined || schema === 'pg_catalog'))
        reads.settings.push(textConstant(given[0] ?? [])?.toLowerCase());
      if (namesTable(tokens, before)) reads.tables.push({ schema, name: text });
    } else if (!quoted && schema === undefined && sessionKeywords.test(text) && !isWord(tokens, index - 1, /^as$/)) {
      reads.keywords.push(text);
    }
    reads.names.push({ schema, name: text });
    if (!(schema === undefined && ctes.has(text)) && namesTable(tokens, before))
      reads.tables.push({ schema, name: text });
    if (isWord(tokens, before, /^(from|join)$/) && namesTable(tokens, before) && !at(index + 1, '(') && !ctes.has(text))
      reads.sources.push({ schema, name: text });
    if (quoted || text !== 'execute' || isWord(tokens, index + 1, /^(function|procedure|on)$/) || at(index + 1, '.'))
      continue;
    const statement = expressionFrom(tokens, index + 1);
    const constant = textConstant(statement);
    if (constant === undefined) reads.isDynamic = true;
    else append(reads, readSource(constant));
    if (constant !== undefined) append(reads, readShow(constant));
  }
  return reads;
}

interface Collected {
  readonly settings: (string | undefined)[];
  readonly calls: Call[];
  readonly names: SourceReads['names'][number][];
  readonly tables: SourceReads['tables'][number][];
  readonly sources: SourceReads['sources'][number][];
  readonly keywords: string[];
  isDynamic: boolean;
  tellsTime: boolean;
}

function append(reads: Collected, more: Partial<SourceReads>): void {
  reads.settings.push(...(more.settings ?? []));
  reads.calls.push(...(more.calls ?? []));
  reads.names.push(...(more.names ?? []));
  reads.tables.push(...(more.tables ?? []));
  reads.sources.push(...(more.sources ?? []));
  reads.keywords.push(...(more.keywords ?? []));
  reads.isDynamic ||= more.isDynamic ?? false;
  reads.tellsTime ||= more.tellsTime ?? false;
}

/** The setting that a SHOW statement reads. */
function readShow(statement: string): Partial<SourceReads> {
  const [, name] = /^\s*show\s+("[^"]+"|[\w.]+)/i.exec(statement) ?? [];
  return name === undefined ? {} : { settings: [name.replaceAll('"', '').toLowerCase()] };
}

/** The arguments of a call. `from` is the token after its opening parenthesis. */
function argumentsFrom(tokens: readonly Token[], from: number): Token[][] {
  const found: Token[][] = [[]];
  for (let index = from, depth = 0; index < tokens.length; index++) {
    const token = tokens[index] as Token;
    if (token.kind === 'symbol' && /[)\]]/.test(token.text) && depth-- === 0) break;
    if (token.kind === 'symbol' && /[([]/.test(token.text)) depth += 1;
    if (token.kind === 'symbol' && token.text === ',' && depth === 0) found.push([]);
    else found.at(-1)?.push(token);
  }
  return found.length === 1 && found[0]?.length === 0 ? [] : found;
}

const conditions =
  /^(if|case|when|where|coalesce|nullif|and|or|limit|fetch|loop|while|exit|exists|in|any|all|some|having|on|join|filter)$/;

/** Whether the token after `before` is the name of a table. */
function namesTable(tokens: readonly Token[], before: number): boolean {
  let index = before;
  while (tokens[index]?.kind === 'symbol' && tokens[index]?.text === '(') index -= 1;
  if (isWord(tokens, index, /^into$/)) return isWord(tokens, index - 1, /^(insert|merge)$/);
  if (isWord(tokens, index, /^from$/)) return !isWord(tokens, index - 1, /^distinct$/) && !isInCall(tokens, index);
  if (index !== before) return isWord(tokens, index, /^join$/);
  return isWord(tokens, index, /^(join|update|using|only|table)$/) || isInFromList(tokens, index);
}

/** Whether a comma separates the items of a FROM clause. */
function isInFromList(tokens: readonly Token[], comma: number): boolean {
  if (tokens[comma]?.kind !== 'symbol' || tokens[comma]?.text !== ',') return false;
  for (let index = comma - 1, depth = 0; index >= 0; index--) {
    const { kind, text, quoted } = tokens[index] as Token;
    if (kind === 'symbol' && text === ')') depth += 1;
    if (kind === 'symbol' && text === '(' && depth-- === 0) return false;
    if (kind === 'symbol' && text === ';') return false;
    if (depth > 0 || kind !== 'word' || quoted) continue;
    if (/^(from|using|join)$/.test(text)) return true;
    if (/^(select|where|group|order|set|on|returning|having|values|limit)$/.test(text)) return false;
  }
  return false;
}
