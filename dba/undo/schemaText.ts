/** An object of migrations/snapshot.txt: its first line, and the lines below it without their indent. */
export interface SnapshotObject {
  /** `table`, `view`, `function`, `schema`, … */
  readonly kind: string;
  /** The name in SQL: `app_public.todos`, `app_search.words(text)`. */
  readonly name: string;
  readonly header: string;
  readonly lines: readonly string[];
}

const name = String.raw`(?:"(?:[^"]|"")+"|[^\s.:"]+)`;
const headers = [
  /^(function) (.+?\)) returns /,
  new RegExp(
    `^((?:partitioned |foreign )?table|(?:materialized )?view|sequence|type|collation|role|schema) (${name}(?:\\.${name})?):?( |$)`,
  ),
  /^(default privileges) (.+?): /,
  /^(aggregate|operator) (.+?\)) returns /,
  /^(operator class|cast|settings of|privileges on) (.+?): /,
  /^(extension) (\S+) in schema /,
];

/** Comments are restored separately (`readComments`). */
const isNoComment = (line: string) => !line.startsWith('comment ');

/**
 * Parses a snapshot into objects by kind and name.
 *
 * @throws Error if the first line of an object is of an unknown form.
 */
export function parseSnapshot(text: string): Map<string, SnapshotObject> {
  const objects = new Map<string, SnapshotObject>();
  for (const block of text.trim().split('\n\n').filter(Boolean)) {
    const [header = '', ...lines] = block.split('\n');
    const [, kind, name] = headers.map((pattern) => pattern.exec(header)).find((found) => found) ?? [];
    if (!kind || !name) throw new Error(`Unknown line in the description of the schema: ${header}`);
    objects.set(`${kind} ${name}`, { kind, name, header, lines: lines.map((line) => line.trim()).filter(isNoComment) });
  }
  return objects;
}

/** Parses a line of a relation into kind, name and the rest: `column`, `title`, `text not null`. */
export function lineKey(line: string): { kind: string; name: string; rest: string } | undefined {
  const index = new RegExp(`^CREATE (?:UNIQUE )?INDEX (${name}) ON (.*)$`).exec(line);
  if (index) return { kind: 'index', name: index[1] as string, rest: line };
  const found = new RegExp(`^(column|constraint|trigger|rule|policy) (${name}) ?(.*)$`).exec(line);
  return found ? { kind: found[1] as string, name: found[2] as string, rest: found[3] as string } : undefined;
}
