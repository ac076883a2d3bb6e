/** A column of a printed table: its heading, and what a row shows in it. */
export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string | number | null | undefined;
}

/** Rows as aligned text, numbers to the right; the last column is as long as it is. */
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
