import { readGmrc } from '../postgres/migrate/gmrc.ts';
import type { Finding, Named, TextRule } from './rule.ts';
import { pageOf } from './rules.ts';
import type { Source } from './sources.ts';
import { splitStatements } from './statements.ts';

/** Applies `rules` to the text of `sources`. Returns the findings and the number of statements. */
export async function inspectText(
  sources: readonly Source[],
  rules: readonly Named<TextRule>[],
): Promise<{ findings: Finding[]; statements: number }> {
  const findings: Finding[] = [];
  let count = 0;
  const { pgSettings = {} } = await readGmrc();
  for (const { file, sql } of sources) {
    const statements = splitStatements(file, sql);
    count += statements.length;
    for (const { name, level, inspect } of rules) {
      for (const { statement, detail } of inspect(statements, pgSettings)) {
        const { object, line } = statement;
        findings.push({ rule: name, level, object, detail, file, line, page: pageOf(name) });
      }
    }
  }
  return { findings, statements: count };
}
