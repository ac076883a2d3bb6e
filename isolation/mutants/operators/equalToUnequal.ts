import { replaceEach } from '../expression.ts';
import { rewriting } from '../rewrite.ts';

/** What had to be equal has to differ. */
export const equalToUnequal = rewriting((expression, asksWho) =>
  replaceEach(expression, (token, around) => (token === '=' && asksWho(around) ? '<>' : undefined)),
);
