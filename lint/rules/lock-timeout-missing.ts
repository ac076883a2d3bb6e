import type { TextRule } from '../rule.ts';

// Statements about tables and their parts. A new table locks those that it references. Functions, types and grants lock
// no table.
const locks =
  /^((create|alter|drop) (or replace |unique |constraint |materialized |foreign )*(table|index|view|trigger|policy|sequence)|lock|truncate|cluster|reindex|refresh|vacuum full)\b/i;
const setting = /^(?:set (?:local |session )?lock_timeout (?:=|to) |reset )(.*)$/i;

export const rule: TextRule = {
  level: 'error',
  elsewhere: { notJudged: 'it reads the text of migrations, which a database does not keep' },
  title: 'a statement can wait for its lock without a limit',
  inspect: (statements, { lock_timeout: configured = '0' }) => {
    let timeout = configured;
    return statements.flatMap((statement) => {
      const [, given] = setting.exec(statement.text) ?? [];
      if (given !== undefined) {
        timeout = /^(default|lock_timeout|all)$/i.test(given) ? configured : given;
        return [];
      }
      return /^'?0\s*[a-z]*'?$/i.test(timeout) && locks.test(statement.text)
        ? [
            {
              statement,
              detail:
                'waits for its lock without a limit, and later queries of all tenants queue behind it: set lock_timeout',
            },
          ]
        : [];
    });
  },
};
