import { shorten } from '../attempt.ts';
import type { Control } from '../controls.ts';
import type { AttackSession } from './attackSession.ts';
import type { SqlOptions } from './attackSql.ts';
import { callsWithValuesOfA } from './calls.ts';
import { asActor } from './judge.ts';
import { describe, type SqlAnswer } from './sqlAttack.ts';

/** SQLSTATEs which mean that a function cannot run, rather than that it refuses its arguments. */
const cannotRun = /^(0A|22012|2F|38|39|3D|3F|42(?!501|601)|54|55|58|XX)/;

/** Checks that each executable function and procedure works for A with A's own values. */
export async function* functionControls(
  session: AttackSession,
  { only = () => true }: SqlOptions,
): AsyncGenerator<Control> {
  const { catalog, seedData } = session;
  const byFunction = Map.groupBy(callsWithValuesOfA(catalog, seedData), ({ table }) => table);
  for (const [table, calls] of byFunction) {
    if (!only(table)) continue;
    let first: { statement: string; answer: SqlAnswer } | undefined;
    let works = false;
    for (const call of calls) {
      const answer = await session.run(call);
      first ??= { statement: call.statements[0] as string, answer };
      works = answer.code === undefined;
      if (works) break;
    }
    if (!first) continue;
    const { code, message = '' } = first.answer;
    yield {
      table,
      operation: 'call',
      statement: `${asActor(catalog, { name: 'A', identity: seedData.a.id })}\n${first.statement}`,
      works,
      answer: shorten(describe(first.answer)),
      ...(!works && code !== undefined && { error: { code, message } }),
      ...(!works && !cannotRun.test(code ?? '') && { reason: `the function refuses all tried arguments: ${message}` }),
    };
  }
}
