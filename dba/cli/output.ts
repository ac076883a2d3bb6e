import { styleText } from 'node:util';

/** Maximum number of problems to print. */
const maxShown = 20;

/** Prints one line per problem, up to `maxShown`. */
export function reportProblems(problems: readonly string[]): void {
  for (const problem of problems.slice(0, maxShown)) console.log(`${styleText('red', '✗')} ${problem}`);
  if (problems.length > maxShown) console.log(`… and ${problems.length - maxShown} more; --json lists all of them`);
}

/** A column of a printed table. */
export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string | number | null | undefined;
}

/** Formats rows as an aligned text table. Numbers align right; the last column is not truncated or padded. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = rows.map((row) => columns.map(({ value }) => value(row) ?? '–'));
  const widths = columns.map(({ heading }, index) =>
    Math.max(heading.length, ...cells.map((row) => String(row[index]).length)),
  );
  const line = (row: readonly (string | number)[]) =>
    row
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ heading }) => heading)), ...cells.map(line)].join('\n');
}

/** Quotes text so that a POSIX shell reads it as one word. */
export function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
