import type { Attempt } from '../../isolation/attempt.ts';
import type { Verdict } from '../../isolation/mutants/mutant.ts';
import type { Proof } from '../../isolation/proof.ts';

/** A value that would run a script or load an image if a page parsed it as HTML. */
export const hostile = `</script><script>document.title = 'broken'</script><img src="https://example.com/x" onerror="document.title = 'broken'">'"&`;

const attacks = {
  sql: [
    'select by scan',
    'select by key',
    'update blind',
    'delete blind',
    'insert as another',
    'attach to another’s parent',
    'truncate',
  ],
  http: ['node(id:) of another', 'filter by a key of another', 'update by a key of another'],
  websocket: ['watch another write'],
  interleaving: ['foreign row in an answer'],
} as const;

/** An invented proof of the given size, with one hostile value. */
export function madeUp(size: { tables: number; leaks: number; mutants: number; extraAttacks?: number }): Proof {
  const tables = Array.from(
    { length: size.tables },
    (_, at) => `app_public.${['lists', 'todos', 'notes', 'invoices'][at % 4]}${at < 4 ? '' : at}`,
  );
  const attempts: Attempt[] = [];
  for (const [path, names] of Object.entries(attacks)) {
    const more = Array.from(
      { length: path === 'sql' ? (size.extraAttacks ?? 0) : 0 },
      (_, at) => `select in way ${at + 1}`,
    );
    for (const attack of [...names, ...more]) {
      for (const table of tables) attempts.push(attempt(table, attack, path as Attempt['path']));
    }
  }
  for (let at = 0; at < size.leaks; at++) {
    const place = (at * 37) % attempts.length;
    attempts[place] = leaked(attempts[place] as Attempt);
  }
  const made = Array.from({ length: size.mutants }, (_, at) => verdict(at, attempts));
  return {
    database: 'a scratch copy of the migrations',
    seed: 20261121,
    repeat: 'npm run isolation -- --seed 20261121',
    startedAt: new Date('2026-11-21T09:00:00Z'),
    seconds: 41.3,
    tables,
    attempts,
    mutants: made.length > 0 ? made : undefined,
    controls: [{ table: 'app_public.lists', operation: 'select', statement: 'select', works: true, answer: '1 row' }],
    owners: {},
    unproven: [],
    notJudged: [],
  };
}

function attempt(table: string, attack: string, path: Attempt['path']): Attempt {
  const outcome = attack === 'truncate' && table.length % 3 === 0 ? 'not applicable' : 'held';
  const statement = `select * from ${table} where id = '5b0f1f3e-2d1b-4c5a-9a57-1f0f3a1c9b10' and title = '${hostile}'`;
  return { table, attack, operation: 'select', path, statement, answer: '0 rows', outcome };
}

function leaked(held: Attempt): Attempt {
  return {
    ...held,
    outcome: 'leaked',
    answer: `1 row: {"title": "${hostile}"}`,
    evidence: `B was given A's row 5b0f1f3e of ${held.table}: its title is the marker that only A's row has.`,
  };
}

const operators = ['widen USING', 'widen WITH CHECK', 'drop the policy', 'disable row-level security', 'swap and/or'];

function verdict(at: number, attempts: readonly Attempt[]): Verdict {
  const kind = operators[at % operators.length] as string;
  const object = `policy select_own${at} on app_public.lists`;
  const mutant = {
    id: `${kind} ${object}`,
    kind,
    object,
    description: `${object} lets every row through.`,
    sql: `alter policy select_own on app_public.lists using (true)`,
  };
  if (at % 20 === 13)
    return {
      ...mutant,
      outcome: 'equivalent',
      caught: [],
      reason: 'The table is granted to nobody but its owner, whom FORCE binds.',
    };
  if (at % 50 === 24) return { ...mutant, outcome: 'survived', caught: [], reason: 'No attack answered differently.' };
  const names = [...new Set(attempts.map(({ attack }) => attack))].filter((_, index) => (index * 7 + at) % 5 === 0);
  const caught = names.map((attack) => ({
    attack,
    table: 'app_public.lists',
    evidence: `B saw a row of A. ${hostile}`,
  }));
  return { ...mutant, outcome: 'killed', caught };
}
