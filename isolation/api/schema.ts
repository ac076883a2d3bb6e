import { readFile } from 'node:fs/promises';
import {
  buildClientSchema,
  buildSchema,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getIntrospectionQuery,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'postgraphile/graphql';
import { UsageError } from '../../common/usageError.ts';
import type { ApiActor, Client } from './client.ts';

export type Field = GraphQLField<unknown, unknown>;

/** A field of Query or Mutation, with the type of rows that it reads or writes. */
export interface RootField {
  readonly operation: 'query' | 'mutation';
  readonly field: Field;
  /** The type of rows that it returns, or that its name contains. */
  readonly entity: GraphQLObjectType | undefined;
}

/** The types and root fields of the API. */
export interface Api {
  readonly schema: GraphQLSchema;
  /** The types of rows, by name. */
  readonly rows: ReadonlyMap<string, GraphQLObjectType>;
  readonly fields: readonly RootField[];
  readonly subscriptions: readonly Field[];
}

/**
 * Reads the API's schema by introspection or from a file.
 *
 * @param actor the identity for introspection.
 * @param file a schema in SDL, for a server that disables introspection.
 * @throws UsageError if the server disables introspection and there is no file.
 */
export async function readApi(client: Client, actor: ApiActor, file?: string): Promise<Api> {
  if (file !== undefined) return sortApi(buildSchema(await readFile(file, 'utf8')));
  const document = getIntrospectionQuery({ descriptions: false });
  const { body } = await client.ask(actor, { document });
  if (!body?.data) {
    const reason = body?.errors?.[0]?.message ?? 'the answer is not a GraphQL response';
    throw new UsageError(
      `${client.url} does not show its schema (${reason}). Introspection is off in production. Run \`npm run schema\` in ` +
        'the deployed checkout, and pass its schema.graphql with --graphql-schema FILE.',
    );
  }
  return sortApi(buildClientSchema(body.data));
}

function sortApi(schema: GraphQLSchema): Api {
  const [query, mutation, subscription] = [
    schema.getQueryType(),
    schema.getMutationType(),
    schema.getSubscriptionType(),
  ];
  // The fields `query` and `id` of Query read no data.
  const common = new Set(query?.getInterfaces().flatMap((shared) => Object.keys(shared.getFields())));
  const own = Object.values(query?.getFields() ?? {}).filter(
    ({ name, type }) => getNamedType(type) !== query && !common.has(name),
  );
  const rows = new Map<string, GraphQLObjectType>();
  for (const type of Object.values(schema.getTypeMap())) {
    const nodes = isObjectType(type) && type.getFields().edges && type.getFields().nodes;
    const row = nodes && getNamedType(nodes.type);
    if (row && isObjectType(row)) rows.set(row.name, row);
  }
  for (const { type } of own) {
    const named = getNamedType(type);
    if (isObjectType(named) && !connectionOf(type) && !rows.has(named.name)) rows.set(named.name, named);
  }
  return {
    schema,
    rows,
    fields: [
      ...own.map((field) => ({ operation: 'query' as const, field, entity: entityOf(field, rows) })),
      ...Object.values(mutation?.getFields() ?? {}).map((field) => ({
        operation: 'mutation' as const,
        field,
        entity: entityOf(field, rows) ?? namedAfter(field.name, rows),
      })),
    ],
    subscriptions: Object.values(subscription?.getFields() ?? {}),
  };
}

/** The type of a connection's rows; `undefined` if `type` is not a connection. */
export function connectionOf(type: GraphQLOutputType): GraphQLObjectType | undefined {
  const named = getNamedType(type);
  if (!isObjectType(named)) return undefined;
  const { nodes, edges } = named.getFields();
  const row = nodes && edges && getNamedType(nodes.type);
  return row && isObjectType(row) ? row : undefined;
}

function entityOf({ type }: Field, rows: ReadonlyMap<string, GraphQLObjectType>): GraphQLObjectType | undefined {
  const direct = connectionOf(type) ?? getNamedType(type);
  if (rows.has(direct.name)) return direct as GraphQLObjectType;
  // The payload of a mutation has the row in a field.
  const inner = isObjectType(direct) ? Object.values(direct.getFields()) : [];
  return inner.map((field) => rows.get(getNamedType(field.type).name)).find((row) => row !== undefined);
}

/** The type with the longest name that the field's name contains. `deleteTodoTags` returns only keys of TodoTag. */
function namedAfter(name: string, rows: ReadonlyMap<string, GraphQLObjectType>): GraphQLObjectType | undefined {
  const matching = [...rows.values()].filter((row) => name.toLowerCase().includes(row.name.toLowerCase().slice(0, -1)));
  return matching.toSorted((a, b) => b.name.length - a.name.length)[0];
}

/** Fields that hold the row's own values: scalars, lists of scalars, and objects such as ranges. */
function valueFields(type: GraphQLObjectType, rows: Api['rows'], depth = 0): Field[] {
  return Object.values(type.getFields()).filter((field) => {
    if (field.args.some(({ type: argument, defaultValue }) => isNonNullType(argument) && defaultValue === undefined))
      return false;
    const named = getNamedType(field.type);
    if (isLeafType(named)) return true;
    return depth < 3 && isValueObject(named, rows);
  });
}

function isValueObject(type: unknown, rows: Api['rows']): type is GraphQLObjectType {
  if (!isObjectType(type as never)) return false;
  const object = type as GraphQLObjectType;
  return (
    !rows.has(object.name) &&
    !connectionOf(object) &&
    Object.values(object.getFields()).every(
      ({ args, type: inner }) =>
        args.length === 0 && !rows.has(getNamedType(inner).name) && getNamedType(inner).name !== 'Query',
    )
  );
}

/** Fields of a row that return related rows. */
export function relations(
  type: GraphQLObjectType,
  rows: Api['rows'],
): { field: Field; to: GraphQLObjectType; many: boolean }[] {
  return Object.values(type.getFields()).flatMap((field) => {
    const many = connectionOf(field.type);
    const to = many ?? getNamedType(field.type);
    return rows.has(to.name)
      ? [{ field, to: to as GraphQLObjectType, many: many !== undefined || isList(field.type) }]
      : [];
  });
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(getNullableType(type));
}

/** Selects all values of a row. */
function selectValues(type: GraphQLObjectType, rows: Api['rows'], depth = 0): string {
  const parts = valueFields(type, rows, depth).map(({ name, type: fieldType }) => {
    const named = getNamedType(fieldType);
    return isLeafType(named) ? name : `${name} { ${selectValues(named as GraphQLObjectType, rows, depth + 1)} }`;
  });
  return parts.join(' ') || '__typename';
}

/** The selection set for a field that returns a row, a connection, or a mutation's payload; empty for a leaf type. */
export function select(type: GraphQLOutputType, rows: Api['rows'], inner?: string): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  const row = connectionOf(type);
  if (row) return `{ totalCount edges { cursor } nodes { ${inner ?? selectValues(row, rows)} } }`;
  if (!isObjectType(named)) {
    const common = isInterfaceType(named) ? Object.values(named.getFields()) : [];
    return `{ __typename ${common.flatMap((field) => (isLeafType(getNamedType(field.type)) ? field.name : [])).join(' ')} }`;
  }
  if (rows.has(named.name)) return `{ ${inner ?? selectValues(named, rows)} }`;
  const fields = Object.values(named.getFields()).flatMap((field) => {
    const to = getNamedType(field.type);
    if (isLeafType(to)) return [field.name];
    if (rows.has(to.name)) return [`${field.name} { ${selectValues(to as GraphQLObjectType, rows)} }`];
    return [];
  });
  return `{ ${fields.join(' ') || '__typename'} }`;
}
