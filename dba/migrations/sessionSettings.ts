import { type Statement, splitStatements } from '../../lint/statements.ts';
import { maskQuoted } from '../../lint/tokens.ts';
import { bodyOfDo, callArguments, withoutComments } from './blank.ts';
import { dynamicSql, plpgsqlStatements } from './plpgsql.ts';

/** A mistake that must be corrected before a migration runs. */
export interface Mistake {
  readonly line: number;
  readonly message: string;
}

/**
 * Matches a masked statement that changes session settings. `reset := true` does not match: it assigns to a variable.
 * `set %` does not match either: `%` marks the unknown part of dynamic SQL.
 */
const sessionSetting =
  /^(?:set(?! (?:(?:local|constraints|transaction)\b|%))|reset|discard)\b(?! ?(?::=|=|\[|\.))|^update (?:only )?(?:pg_catalog\.)?pg_settings\b/i;

/** Matches masked statements that call no function when they run: they store an expression, or contain none. */
const callsNothing =
  /^(create (or replace )?(temp(orary)? |recursive )*(function|procedure|view|policy|trigger|constraint trigger|event trigger|rule)|alter (function|procedure|policy|view|role|database)|comment|grant|revoke|drop|security label)\b/i;

/** Finds changes of session settings in a statement. Only settings of the transaction are allowed. */
export function sessionSettings({ text, sql, line }: Statement): Mistake[] {
  const message = (instead: string) => `it changes the session and would also affect later migrations: ${instead}`;
  const local = text.replace(/^set (session (?!authorization\b|characteristics\b))?/i, 'set local ');
  const masked = maskQuoted(sql).text;
  if (sessionSetting.test(masked)) {
    const isSet = /^set\b/i.test(text) && !/^set session characteristics/i.test(text);
    const instead = isSet
      ? `write \`${local.slice(0, 80)}\``
      : 'remove it; settings of `set local` end with the migration';
    return [{ line, message: `\`${text.slice(0, 80)}\`: ${message(instead)}` }];
  }
  const body = bodyOfDo(sql);
  const called = body ?? (callsNothing.test(masked) ? '' : sql);
  if (callArguments(called, 'set_config').some((given) => !isLocal(given)))
    return [{ line, message: `\`set_config\`: ${message('pass true as its third argument')}` }];
  if (body === undefined) return [];
  if (beginsInBody(body, sessionSetting))
    return [{ line, message: `a setting in a \`do\` block: ${message('write `set local`')}` }];
  const dynamic = plpgsqlStatements(body).flatMap((statement) => splitStatements('', dynamicSql(statement)));
  return dynamic
    .flatMap((statement) => sessionSettings({ ...statement, line }))
    .slice(0, 1)
    .map((mistake) => ({ ...mistake, message: `\`execute\` in a \`do\` block: ${mistake.message}` }));
}

/** Whether the literal arguments of a `set_config` call make the setting local to the transaction. */
function isLocal(given: readonly string[]): boolean {
  const named = given.find((one) => /^\s*"?is_local"?\s*(=>|:=)/i.test(withoutComments(one)));
  let value = withoutComments(named?.replace(/^[\s\S]*?(=>|:=)/, '') ?? given[2] ?? '').trim();
  for (let inner = value; ; value = inner) {
    inner = value
      .replace(/\s*::\s*(pg_catalog\s*\.\s*)?bool(ean)?$/i, '')
      .replace(/^\(([\s\S]*)\)$/, '$1')
      .replace(/^cast\s*\(([\s\S]*)\s+as\s+bool(ean)?\s*\)$/i, '$1')
      .replace(/^bool(ean)?\s*(?=')/i, '')
      .trim();
    if (inner === value) break;
  }
  return /^(true|'\s*(t|tr|tru|true|y|ye|yes|on|1)\s*')$/i.test(value);
}

/**
 * Whether a PL/pgSQL body contains one of the commands.
 *
 * @param commands a pattern for masked statements.
 */
export function beginsInBody(body: string, commands: RegExp): boolean {
  return plpgsqlStatements(body).some((statement) =>
    commands.test(maskQuoted(body.slice(statement[0]?.start, statement.at(-1)?.end)).text),
  );
}
