import type { QualifiedName } from './nameIndex.ts';
import { clock } from './sessionFunctions.ts';
import {
  assignedName,
  closing,
  endOfType,
  expressionFrom,
  isAssignment,
  isInCall,
  isSymbol,
  isWord,
  opening,
  operatorAt,
  type Token,
  textConstant,
  tokenize,
} from './sourceTokens.ts';
import { currentTime } from './treeReads.ts';

/** Tests a function that a text calls. */
type CallTest = (call: QualifiedName) => boolean;

/** Facts about the function and the functions that it calls. */
export interface TimeOptions {
  readonly isClock: CallTest;
  readonly readsRows: CallTest;
  /** Whether the function returns a boolean, so each returned value is a condition. */
  readonly returnsBoolean: boolean;
}

/** The counterpart of decidesByTime() for the text of a function in SQL or PL/pgSQL. */
export function sourceDecidesByTime(source: string, options: TimeOptions): boolean {
  const tokens = tokenize(source);
  const names = constants(tokens);
  // Variables and columns that hold the time and no value of a row. Grows until a fixed point.
  const held = new Set<string>();
  for (let before = -1; before < held.size; ) {
    before = held.size;
    for (const index of tokens.keys()) {
      const end = endOfClock(tokens, index, held, options);
      if (end === undefined) continue;
      const found = enclosing(tokens, index, end);
      if (hasRow(tokens, found, new Set([...names, ...held]), options)) continue;
      if (isCondition(tokens, found, options)) return true;
      const name = assignedName(tokens, found.first, found.stop);
      if (name !== undefined) held.add(name);
    }
  }
  return dynamicStatements(tokens).some((statement) => sourceDecidesByTime(statement, options));
}

/** The constant statements of EXECUTE. */
function dynamicStatements(tokens: readonly Token[]): string[] {
  return tokens.flatMap((_, index) =>
    isWord(tokens, index, /^execute$/) ? (textConstant(expressionFrom(tokens, index + 1)) ?? []) : [],
  );
}

/** Whether a text contains a literal that Postgres reads as the current time, such as `'now'::timestamptz`. */
export function readsCurrentTime(source: string): boolean {
  const tokens = tokenize(source);
  return tokens.some((_, index) => isTimeLiteral(tokens, index)) || dynamicStatements(tokens).some(readsCurrentTime);
}

const timeType = /^(date|time|timetz|timestamp|timestamptz)$/;

function isTimeLiteral(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  if (token?.kind !== 'string' || !currentTime.test(token.text)) return false;
  return (
    operatorAt(tokens, index + 1) === '::' ||
    isWord(tokens, index - 1, timeType) ||
    isWord(tokens, index - 1, /^zone$/) ||
    isWord(tokens, index + 1, /^as$/)
  );
}

/** The index after an expression that reads the clock and starts at `index`, or undefined if none starts there. */
function endOfClock(
  tokens: readonly Token[],
  index: number,
  held: ReadonlySet<string>,
  { isClock }: TimeOptions,
): number | undefined {
  if (isTimeLiteral(tokens, index)) return index + 1;
  const token = tokens[index];
  if (token?.kind !== 'word') return undefined;
  if (!isSymbol(tokens, index + 1, '(')) {
    const isKeyword = !token.quoted && /^(current_(date|time|timestamp)|localtime|localtimestamp)$/.test(token.text);
    const isName = held.has(token.text) && !isWord(tokens, index - 1, /^(as|into|declare)$/);
    return isKeyword || isName ? index + 1 : undefined;
  }
  const isQualified = isSymbol(tokens, index - 1, '.');
  const schema = isQualified ? tokens[index - 2]?.text : undefined;
  const isOwn = schema === undefined || schema === 'pg_catalog';
  const end = closing(tokens, index + 1) + 1;
  const isAge =
    token.text === 'age' && !tokens.slice(index + 2, end).some((_, at) => isSymbol(tokens, index + 2 + at, ','));
  return (isOwn && (clock.test(token.text) || isAge)) || isClock({ schema, name: token.text }) ? end : undefined;
}

/** A range of tokens. */
interface Region {
  /** The first token of the expression. */
  readonly first: number;
  /** The token after the expression. */
  readonly stop: number;
}

/** Words that separate the conditions and clauses of statements. */
const boundary =
  /^(and|or|not|where|when|then|else|if|elsif|elseif|return|select|having|on|while|loop|begin|declare|end|from|into|case|using|set|values|group|order|limit|offset|union|except|intersect|perform|execute|raise|filter|with|default|as|returning|next|query|assert|exit|continue|fetch)$/;
/** Words before a parenthesis that is not a call. */
const grouping = new RegExp(`${boundary.source.slice(0, -2)}|in|any|all|some|is|between|like|ilike|by|distinct)$`);

/** The largest condition or value around an expression that does not cross `and`, `or` or a clause. */
function enclosing(tokens: readonly Token[], from: number, to: number): Region {
  let [first, stop] = [isSymbol(tokens, from - 1, '.') ? from - 2 : from, to];
  for (;;) {
    while (first > 0 && !ends(tokens, first - 1, '('))
      first = isSymbol(tokens, first - 1, ')') ? openingOf(tokens, first - 1) : first - 1;
    while (stop < tokens.length && !ends(tokens, stop, ')'))
      stop = isSymbol(tokens, stop, '(') ? closing(tokens, stop) + 1 : stop + 1;
    const isScalar = isWord(tokens, first - 1, /^select$/) && isSymbol(tokens, first - 2, '(');
    const open = isScalar ? first - 2 : opening(tokens, first);
    if (open < 0) return { first, stop };
    const close = closing(tokens, open);
    const before = tokens[open - 1];
    const isCall = before?.kind === 'word' && (before.quoted || !grouping.test(before.text));
    const isWhole =
      (isScalar || first === open + 1) && (stop === close || (isScalar && isWord(tokens, stop, /^from$/)));
    const isArgument = isCall && !isScalar && isBetween(tokens, open, first) && isBetween(tokens, stop - 1, close);
    if (!isWhole && !isArgument) return { first, stop };
    if (isScalar && isWord(before === undefined ? [] : tokens, open - 1, /^(exists|as|in|from|join)$/))
      return { first, stop };
    [first, stop] = [isCall ? open - 1 : open, close + 1];
    if (isCall && isSymbol(tokens, first - 1, '.')) first -= 2;
  }
}

/** Whether no clause starts between two tokens. */
function isBetween(tokens: readonly Token[], from: number, to: number): boolean {
  for (let index = from + 1; index < to; index++)
    if (isWord(tokens, index, /^(select|where)$/) && opening(tokens, index) <= from) return false;
  return true;
}

const openingOf = (tokens: readonly Token[], close: number) => Math.max(opening(tokens, close), 0);

/** Whether an expression ends at a token. */
function ends(tokens: readonly Token[], index: number, parenthesis: '(' | ')'): boolean {
  if (isSymbol(tokens, index, parenthesis) || isSymbol(tokens, index, ',') || isSymbol(tokens, index, ';')) return true;
  if (isSymbol(tokens, index, '=') && (isSymbol(tokens, index - 1, ':') || isAssignment(tokens, index))) return true;
  if (isWord(tokens, index, /^from$/)) return !isWord(tokens, index - 1, /^distinct$/) && !isInCall(tokens, index);
  if (isWord(tokens, index, /^and$/)) return !isOfBetween(tokens, index);
  if (isWord(tokens, index, /^not$/))
    return !isWord(tokens, index - 1, /^is$/) && !isWord(tokens, index + 1, /^(like|ilike|in|between)$/);
  return (
    isWord(tokens, index, boundary) && !(isSymbol(tokens, index + 1, '(') && isWord(tokens, index, /^(set|next)$/))
  );
}

/** Whether an AND separates the bounds of BETWEEN. */
function isOfBetween(tokens: readonly Token[], and: number): boolean {
  for (let index = and - 1; index >= 0; index--) {
    if (isSymbol(tokens, index, ')')) index = openingOf(tokens, index);
    else if (isSymbol(tokens, index, '(') || isSymbol(tokens, index, ';')) return false;
    else if (isWord(tokens, index, /^between$/)) return true;
    else if (isWord(tokens, index, /^(and|or|where|when|then|if|elsif|on|having|select|return)$/)) return false;
  }
  return false;
}

/** Words that cannot be names of columns, variables or arguments. */
const nonNames =
  /^(is|not|null|true|false|unknown|distinct|from|between|symmetric|in|any|all|some|like|ilike|similar|to|escape|at|time|zone|local|with|without|and|or|array|row|interval|overlaps|select|collate|cast|as|date|timestamp|timestamptz|timetz)$/;

/** Whether an expression names a column, a variable or an argument, or calls a function that reads rows. */
function hasRow(
  tokens: readonly Token[],
  { first, stop }: Region,
  constant: ReadonlySet<string>,
  { readsRows }: TimeOptions,
): boolean {
  for (let index = first; index < stop; index++) {
    const token = tokens[index] as Token;
    if (operatorAt(tokens, index).startsWith('::')) {
      index = endOfType(tokens, index + 2) - 1;
      continue;
    }
    if (token.kind === 'symbol' && token.text === '$' && /^\d/.test(tokens[index + 1]?.text ?? '')) return true;
    if (token.kind !== 'word') continue;
    const isCall = isSymbol(tokens, index + 1, '(');
    if (isCall) {
      const schema = isSymbol(tokens, index - 1, '.') ? tokens[index - 2]?.text : undefined;
      if (readsRows({ schema, name: token.text })) return true;
      continue;
    }
    // Skip from the FROM of a scalar subquery to its end.
    if (isWord(tokens, index, /^from$/) && !isWord(tokens, index - 1, /^distinct$/) && !isInCall(tokens, index)) {
      index = closing(tokens, openingOf(tokens, index)) - 1;
      continue;
    }
    const isQualifier =
      isSymbol(tokens, index + 1, '.') &&
      (isSymbol(tokens, index + 3, '(') || constant.has(tokens[index + 2]?.text ?? ''));
    const isField =
      isSymbol(tokens, index - 1, '(') && isWord(tokens, index + 1, /^from$/) && isInCall(tokens, index + 1);
    const isType = tokens[index + 1]?.kind === 'string' || isWord(tokens, index - 1, /^as$/);
    const isTime = /^(current_(date|time|timestamp)|localtime|localtimestamp)$/.test(token.text);
    if (isQualifier || isField || isType || isTime || constant.has(token.text)) continue;
    if (token.quoted || !nonNames.test(token.text)) return true;
  }
  return false;
}

/** Variables that are assigned once, with a constant. */
function constants(tokens: readonly Token[]): Set<string> {
  const found = new Set<string>();
  const assigned: string[] = [];
  for (const index of tokens.keys()) {
    const isAssigned =
      isSymbol(tokens, index, '=') && (isSymbol(tokens, index - 1, ':') || isAssignment(tokens, index));
    if (isWord(tokens, index, /^into$/)) assigned.push(tokens[index + 1]?.text ?? '');
    if (!isAssigned && !isWord(tokens, index, /^default$/)) continue;
    const { first, stop } = enclosing(tokens, index + 1, index + 1);
    const name = assignedName(tokens, first, stop);
    if (name === undefined) continue;
    assigned.push(name);
    const isConstant = tokens
      .slice(first, stop)
      .every(
        ({ kind }, at) =>
          kind !== 'word' || tokens[first + at + 1]?.kind === 'string' || isSymbol(tokens, first + at - 1, ':'),
      );
    if (isConstant) found.add(name);
  }
  return new Set([...found].filter((name) => assigned.filter((one) => one === name).length === 1));
}

/** Whether an expression is a condition: it compares values, or SQL expects a boolean in its place. */
function isCondition(tokens: readonly Token[], { first, stop }: Region, { returnsBoolean }: TimeOptions): boolean {
  const isNull = isWord(tokens, stop - 1, /^null$/);
  const nullTest = isWord(tokens, stop - 2, /^is$/) ? 2 : isWord(tokens, stop - 3, /^is$/) ? 3 : 0;
  // The current time is never null.
  if (
    isNull &&
    nullTest > 0 &&
    !tokens.slice(first, stop - nullTest).some((_, at) => operatorAt(tokens, first + at) !== '')
  )
    return !isBareCall(tokens, first, stop - nullTest);
  for (let index = first; index < stop; index++) {
    if (isWord(tokens, index, /^(like|ilike|similar|between|in|is|overlaps)$/)) return true;
    const operator = operatorAt(tokens, index);
    if (operator === '::') {
      if (isWord(tokens, index + 2, /^bool(ean)?$/)) return true;
      index += 1;
    } else if (/[<>=~@?&]/.test(operator) && !/^(:=|=>|->>?|#>>?)$/.test(operator)) return true;
    else if (operator !== '') index += operator.length - 1;
  }
  if (isWord(tokens, first - 1, /^(where|and|or|not|if|elsif|elseif|case|when|while|on|having|limit|offset|assert)$/))
    return true;
  // The time determines the rows that EXISTS tests.
  if (isWord(tokens, first - 1, /^from$/) && isWord(tokens, opening(tokens, first) - 1, /^exists$/)) return true;
  return returnsBoolean && isWord(tokens, first - 1, /^(return|select|then|else)$/);
}

/** Whether an expression is a keyword or a call without arguments. */
function isBareCall(tokens: readonly Token[], first: number, stop: number): boolean {
  const at = isSymbol(tokens, first + 1, '.') ? first + 2 : first;
  return stop === at + 1 || (isSymbol(tokens, at + 1, '(') && closing(tokens, at + 1) === at + 2 && stop === at + 3);
}
