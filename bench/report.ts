import { columns, figure, type Style, spreadText, styled } from './format.ts';
import { printNoisy } from './noisy/table.ts';
import type { Results } from './results.ts';
import type { Row } from './statistics.ts';
import { workloads } from './workloads.ts';

/** Formats the figures of a row in the order of `columns`. */
export function cells({ perSecond, toStock, toHandWritten, p50, p99, node, postgres }: Row): string[] {
  return [
    figure(perSecond.median, 0),
    spreadText(toStock),
    spreadText(toHandWritten),
    figure(p50, 1),
    figure(p99, 1),
    figure(node, 3),
    figure(postgres, 3),
  ];
}

/** Prints all results as tables. */
export function print(results: Results): void {
  const { when, machine, node, postgres, options, notes } = results;
  console.log(`${when}, ${machine}\nNode ${node}, Postgres ${postgres}, ${options.rows.toLocaleString('en')} todos`);
  const titles = new Map(results.candidates.map(({ name, title }) => [name, title]));
  for (const workload of new Set(results.rows.map((row) => row.workload))) {
    const rows = results.rows.filter((row) => row.workload === workload);
    const lines = rows.map((row) => [titles.get(row.candidate) ?? row.candidate, ...(row.error ? [] : cells(row))]);
    const widths = ['', ...columns].map((head, index) =>
      Math.max(head.length, ...lines.map((line) => line[index]?.length ?? 0)),
    );
    const align = (line: readonly string[]) =>
      line
        .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
        .join('  ');
    console.log(`\n${styled('bold', workloads[workload].title)}\n${styled('dim', align(['', ...columns]))}`);
    for (const [index, line] of lines.entries()) {
      const { error, candidate } = rows[index] as Row;
      const text = align(line);
      if (error) console.log(`${text}  ${styled('red', `error: ${error.split('\n')[0]?.slice(0, 160)}`)}`);
      else console.log(candidate === 'hedgerow' ? styled('green', text) : text);
    }
  }
  if (results.noisy) printNoisy(results.noisy);
  printRevocation(results);
  printStartup(results);
  printThresholds(results);
  if (notes.length > 0) console.log(`\n${notes.join('\n')}`);
}

function printRevocation({ revocation }: Results): void {
  if (!revocation) return;
  console.log(`\n${styled('bold', 'revocation: µs for each transaction of the list, without HTTP')}`);
  const titles = { asked: 'session checked', notAsked: 'token trusted', cost: 'difference' } as const;
  for (const [name, title] of Object.entries(titles)) {
    const { elapsed, postgres } = revocation[name as keyof typeof titles];
    console.log(`${title.padEnd(18)}  ${spreadText(elapsed, 1)}, CPU of Postgres ${spreadText(postgres, 1)}`);
  }
}

function printStartup({ startup }: Results): void {
  if (!startup) return;
  console.log(`\n${styled('bold', 'start-up: seconds from `node server/main.ts` to the first answered query')}`);
  console.log(`first answer  ${spreadText(startup.firstAnswer)}`);
  console.log(`node -e 0     ${spreadText(startup.node)}`);
  console.log(`difference    ${spreadText(startup.beyondNode)}`);
}

function printThresholds({ marks: thresholds }: Results): void {
  if (!thresholds) return;
  console.log(`\n${styled('bold', 'thresholds')}`);
  for (const { what, goal, found, reached } of thresholds) {
    const verdict = reached === undefined ? 'not measured' : reached ? 'reached' : 'missed';
    const style = { 'not measured': 'dim', reached: 'green', missed: 'red' }[verdict] as Style;
    console.log(`${styled(style, verdict.padEnd(12))}  ${what}: ${spreadText(found)}, ${goal}`);
  }
}
