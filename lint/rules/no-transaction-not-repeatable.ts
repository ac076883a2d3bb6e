import type { TextRule } from '../rule.ts';

// Of alterations those that add, drop and rename; another one may be made twice.
const unguarded = /^(create(?! or replace)|drop|alter\b.*\b(add|drop|rename))\b(?!.* if (not )?exists\b)/is;

export const rule: TextRule = {
  level: 'error',
  elsewhere: { notJudged: 'it reads the text of migrations, and a database has none' },
  title: 'a statement outside of a transaction cannot run twice',
  inspect: (statements) =>
    statements
      .filter(({ inTransaction, text }) => !inTransaction && unguarded.test(text))
      .map((statement) => ({
        statement,
        detail:
          'runs outside of a transaction and cannot run twice: write `if not exists`, `if exists` or `or replace`',
      })),
};
