import type { ValueRead } from './claimReads.ts';
import type { QualifiedName } from './nameIndex.ts';
import {
  assignedName,
  closing,
  endOfType,
  expressionFrom,
  isAssignment,
  isSymbol,
  isWord,
  opening,
  operatorAt,
  type Token,
  textConstant,
  tokenize,
} from './sourceTokens.ts';

/** Returns the candidate oids of a call in the text of a function. */
export type Resolve = (call: QualifiedName) => readonly string[];

/**
 * The counterpart of readValues() for the text of a function in SQL or PL/pgSQL. A value that it cannot follow counts
 * as read as a whole.
 */
export function readSourceValues(source: string, resolve: Resolve): ValueRead[] {
  const tokens = tokenize(source);
  return tokens.flatMap(({ kind, text }, index) => {
    if (isWord(tokens, index, /^execute$/)) {
      const statement = textConstant(expressionFrom(tokens, index + 1));
      return statement === undefined ? [] : readSourceValues(statement, resolve);
    }
    if (kind !== 'word' || !isSymbol(tokens, index + 1, '(')) return [];
    const isQualified = isSymbol(tokens, index - 1, '.');
    const schema = isQualified ? tokens[index - 2]?.text : undefined;
    const isSetting = text === 'current_setting' && (schema === undefined || schema === 'pg_catalog');
    const setting = isSetting ? textConstant(firstArgument(tokens, index + 2))?.toLowerCase() : undefined;
    const calls = isSetting ? [] : resolve({ schema, name: text });
    if (setting === undefined && calls.length === 0) return [];
    const { first, stop, ...read } = follow(tokens, isQualified ? index - 2 : index, closing(tokens, index + 1) + 1);
    const whole = { ...(setting === undefined ? { calls } : { setting }), ...read };
    const name = assignedName(tokens, first, stop);
    // If nothing reads the variable, the value goes to the caller.
    const reads = name === undefined ? [] : readName(tokens, name, whole);
    return reads.length > 0 ? reads : [whole];
  });
}

/** The uses of a variable or column that holds a value. */
function readName(tokens: readonly Token[], name: string, held: ValueRead): ValueRead[] {
  return tokens.flatMap(({ kind, text }, index) => {
    if (kind !== 'word' || text !== name || isWord(tokens, index - 1, /^(as|into|declare|strict)$/)) return [];
    const next = tokens[index + 1];
    const isDeclared = next?.kind === 'word' && !/^(is|and|or|then|from|where|end|as|into)$/.test(next.text);
    if (
      isDeclared ||
      isSymbol(tokens, index + 1, '(') ||
      operatorAt(tokens, index + 1) === ':=' ||
      isAssignment(tokens, index + 1)
    )
      return [];
    const { path, isResult, isCheck } = follow(tokens, isSymbol(tokens, index - 1, '.') ? index - 2 : index, index + 1);
    return [{ ...held, path: [...held.path, ...path], isResult, isCheck }];
  });
}

interface Followed {
  readonly path: readonly string[];
  readonly isResult: boolean;
  readonly isCheck: boolean;
  readonly isAlternative: boolean;
  /** The first token of the expression. */
  readonly first: number;
  /** The token after the expression. */
  readonly stop: number;
}

/** Follows a value through the casts, parentheses, calls and operators around it. */
function follow(tokens: readonly Token[], start: number, end: number): Followed {
  const path: string[] = [];
  let [first, at] = [start, end];
  let isAlternative = false;
  for (;;) {
    const arrow = /^(->>?|#>>?|\?|\[)$/.exec(operatorAt(tokens, at))?.[0];
    if (operatorAt(tokens, at) === '::') {
      at = endOfType(tokens, at + 2);
    } else if (arrow !== undefined) {
      const key = tokens[at + arrow.length];
      const keys = keysOf(key, arrow);
      if (keys === undefined) return { path, isResult: false, isCheck: false, isAlternative, first, stop: at };
      path.push(...keys);
      if (arrow === '?') return { path, isResult: false, isCheck: false, isAlternative, first, stop: at };
      at = at + arrow.length + (arrow === '[' ? 2 : 1);
    } else if (isSymbol(tokens, first - 1, '(') || isWord(tokens, first - 1, /^select$/)) {
      const isQuery = isWord(tokens, first - 1, /^select$/);
      const open = isQuery ? first - 2 : first - 1;
      const close = isSymbol(tokens, open, '(') ? closing(tokens, open) : -1;
      if (close < 0) break;
      const around = tokens[open - 1];
      const caller = around?.kind === 'word' && !grouping.test(around.text) ? around.text : undefined;
      if (caller === undefined) {
        if (at !== close) break;
        [first, at] = [open, close + 1];
      } else if (isQuery) {
        break;
      } else if (/^(nullif|coalesce)$/.test(caller)) {
        isAlternative ||= caller === 'coalesce';
        [first, at] = [open - 1, close + 1];
      } else if (caller === 'cast' && isWord(tokens, at, /^as$/)) {
        [first, at] = [open - 1, close + 1];
      } else if (/^jsonb?_extract_path(_text)?$/.test(caller)) {
        const keys = tokens.slice(at, close).filter(({ text }) => text !== ',');
        if (!keys.every(({ kind }) => kind === 'string')) break;
        path.push(...keys.map(({ text }) => text));
        [first, at] = [open - 1, close + 1];
      } else break;
    } else if (isSymbol(tokens, first - 1, ',') && isInCoalesce(tokens, first)) {
      const open = opening(tokens, first);
      isAlternative = true;
      [first, at] = [open - 1, closing(tokens, open) + 1];
    } else break;
  }
  const isResult =
    at >= tokens.length ||
    isSymbol(tokens, at, ';') ||
    isWord(tokens, at, /^(into|as|from|end)$/) ||
    (isSymbol(tokens, at, ')') && isGroup(tokens, opening(tokens, at)));
  const isEmpty = /^(=|<>|!=)$/.exec(operatorAt(tokens, at));
  const compared = isEmpty ? tokens[at + isEmpty[0].length] : undefined;
  const isCheck = isWord(tokens, at, /^is$/) || (compared?.kind === 'string' && compared.text === '');
  return { path, isResult, isCheck, isAlternative, first, stop: at };
}

const isGroup = (tokens: readonly Token[], open: number) =>
  tokens[open - 1]?.kind !== 'word' || grouping.test(tokens[open - 1]?.text ?? '');

/** Words before a parenthesis that is not a call. */
const grouping =
  /^(select|and|or|not|return|where|when|then|else|if|elsif|on|in|any|all|default|is|by|from|distinct|between|like)$/;

function keysOf(token: Token | undefined, operator: string): string[] | undefined {
  if (token?.kind === 'symbol' && /^\d+$/.test(token.text) && operator !== '?') return [];
  if (token?.kind !== 'string') return undefined;
  if (!operator.startsWith('#')) return [token.text];
  return token.text
    .replace(/^\{|\}$/g, '')
    .split(',')
    .map((key) => key.trim().replace(/^"|"$/g, ''));
}

function isInCoalesce(tokens: readonly Token[], inside: number): boolean {
  const open = opening(tokens, inside);
  return open > 0 && isWord(tokens, open - 1, /^coalesce$/);
}

function firstArgument(tokens: readonly Token[], from: number): Token[] {
  const found: Token[] = [];
  for (let index = from, depth = 0; index < tokens.length; index++) {
    if (isSymbol(tokens, index, ')') && depth-- === 0) break;
    if (isSymbol(tokens, index, '(')) depth += 1;
    if (isSymbol(tokens, index, ',') && depth === 0) break;
    found.push(tokens[index] as Token);
  }
  return found;
}
