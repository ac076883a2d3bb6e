import { replaceEach } from '../expression.ts';
import { rewriting } from '../rewrite.ts';

/** AND is OR, and OR is AND, one at a time. */
export const swapAndOr = rewriting((expression, asksWho) =>
  replaceEach(expression, (token, around) => (asksWho(around) ? { AND: 'OR', OR: 'AND' }[token] : undefined)),
);
