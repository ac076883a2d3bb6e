import { type GraphQLObjectType, getNamedType, isLeafType, isNonNullType } from 'postgraphile/graphql';
import type { ApiActor, Client } from './client.ts';
import { type Api, connectionOf, type Field, relations, select } from './schema.ts';

/** The values of a row, as the API returns them. */
export type Row = Readonly<Record<string, unknown>>;

type Found = Record<string, unknown> | null | undefined;

/** The rows that a tenant reads, by type, with their cursors. */
export interface Holdings {
  readonly rows: ReadonlyMap<string, readonly Row[]>;
  readonly cursors: ReadonlyMap<string, readonly string[]>;
  /** Rows that the tenant could also insert. */
  readonly insertableRows?: ReadonlyMap<string, readonly Row[]>;
  /** The text of the answers, for comparison with later ones. */
  readonly text: string;
}

/** Reads all rows that `actor` can read without a key, through each field of Query without required arguments. */
export async function readHoldings(client: Client, api: Api, actor: ApiActor): Promise<Holdings> {
  const rows = new Map<string, Map<string, Row>>();
  const cursors = new Map<string, string[]>();
  const texts: string[] = [];
  const keep = (type: GraphQLObjectType, found: unknown) => {
    if (typeof found !== 'object' || found === null) return;
    const row = found as Row;
    const known = rows.get(type.name) ?? new Map<string, Row>();
    rows.set(type.name, known.set(String(row.id ?? JSON.stringify(row)), row));
  };
  const read = async (document: string, use: (data: Record<string, Found>) => void) => {
    const { body, text } = await client.ask(actor, { document });
    texts.push(text);
    if (body?.data) use(body.data);
  };
  for (const { field, type, many } of entryFields(api)) {
    const page = many ? pageArguments(field) : '';
    await read(`{ ${field.name}${page} ${select(field.type, api.rows)} }`, (data) => {
      const found = data[field.name];
      if (!many) return keep(type, found);
      for (const row of (found?.nodes as unknown[]) ?? []) keep(type, row);
      cursors.set(
        type.name,
        ((found?.edges as { cursor: string }[]) ?? []).map(({ cursor }) => cursor),
      );
    });
  }
  // Reads the types that no field of Query lists through relations of the listed types.
  for (const { field, type, many } of entryFields(api)) {
    for (const relation of relations(type, api.rows).filter(({ to }) => !rows.has(to.name))) {
      const inner = `${relation.field.name} ${select(relation.field.type, api.rows)}`;
      await read(
        `{ ${field.name}${many ? pageArguments(field) : ''} ${select(field.type, api.rows, inner)} }`,
        (data) => {
          const found = data[field.name];
          for (const from of many ? ((found?.nodes as Record<string, unknown>[]) ?? []) : [found ?? {}]) {
            const to = from?.[relation.field.name] as Record<string, unknown> | null;
            const list = Array.isArray(to) ? to : ((to?.nodes as unknown[]) ?? [to]);
            for (const row of list) keep(relation.to, row);
          }
        },
      );
    }
  }
  const sorted = new Map([...rows].map(([name, found]) => [name, [...found.values()]] as const));
  return { rows: sorted, cursors, text: texts.join('\n') };
}

interface EntryField {
  readonly field: Field;
  readonly type: GraphQLObjectType;
  readonly many: boolean;
}

/** Fields of Query that return rows without required arguments. */
export function entryFields({ fields, rows }: Api): EntryField[] {
  return fields.flatMap(({ operation, field, entity }) => {
    if (operation !== 'query' || !entity || isLeafType(getNamedType(field.type))) return [];
    if (field.args.some(({ type, defaultValue }) => isNonNullType(type) && defaultValue === undefined)) return [];
    const many = connectionOf(field.type) !== undefined;
    return many || rows.has(getNamedType(field.type).name) ? [{ field, type: entity, many }] : [];
  });
}

function pageArguments({ args }: Field): string {
  return args.some(({ name }) => name === 'first') ? '(first: 100)' : '';
}
