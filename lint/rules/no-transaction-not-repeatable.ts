import type { TextRule } from '../rule.ts';

// Alterations that add, drop or rename. Others can run twice.
const unguarded = /^(create(?! or replace)|drop|alter\b.*\b(add|drop|rename))\b(?!.* if (not )?exists\b)/is;

export const rule: TextRule = {
  level: 'error',
  elsewhere: { notJudged: 'it reads the text of migrations, which a database does not keep' },
  title: 'a statement outside a transaction cannot run twice',
  inspect: (statements) =>
    statements
      .filter(({ inTransaction, text }) => !inTransaction && unguarded.test(text))
      .map((statement) => ({
        statement,
        detail:
          'runs outside a transaction and cannot run twice, so a failed migration cannot be retried: write `if not exists`, `if exists` or `or replace`',
      })),
};
