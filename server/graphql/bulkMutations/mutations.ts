import { type PgClient, sideEffectWithPgClient } from 'postgraphile/@dataplan/pg';
import { bakedInput, lambda, type Step } from 'postgraphile/grafast';
import { GraphQLBoolean, type GraphQLInputFieldConfigMap, GraphQLNonNull } from 'postgraphile/graphql';
import { allOrNothing } from './allOrNothing.ts';
import { checkCount, checkKeys, checkPatches } from './checks.ts';
import type { Update, Values } from './statements.ts';
import type { Table } from './table.ts';

/** The keys of a mutation's rows, one record of columns for each item, in order. */
export type Keys = readonly Values[];

/** The payload fields that a document selects. Planning the payload fills it in before the mutation runs. */
export interface Selection {
  rows: boolean;
}

/** A mutation of many rows of one table. */
export interface Mutation {
  readonly fieldName: string;
  readonly description: string;
  inputFields(): GraphQLInputFieldConfigMap;
  plan(input: (name: string) => Step, selection: Selection): Step<Keys>;
  /** The mutation answers with its rows, or with their keys if it deletes them. */
  readonly answers: 'rows' | 'keys';
}

/** A table with this column gets a mutation that completes rows. */
const completedColumn = 'completed';

/** Lists the bulk mutations that the tenants' grants on a table allow. */
export function mutationsOf(table: Table): Mutation[] {
  const mutations = table.may('insert') ? [createMany(table)] : [];
  if (table.keys.length > 1) return mutations;
  if (table.may('update')) mutations.push(updateMany(table));
  if (table.mayUpdate(completedColumn)) mutations.push(completeMany(table));
  if (table.may('delete')) mutations.push(deleteMany(table));
  return mutations;
}

function createMany(table: Table): Mutation {
  const { rows, statements } = table;
  return {
    fieldName: table.named('create'),
    description: `Creates up to 1,000 \`${rows}\`: all of them, or none.`,
    inputFields: () => ({ [rows]: { type: table.listOf('input') } }),
    plan: (input, selection) =>
      run(table, bakedInput(table.listOf('input'), input(rows)), async (client, items: readonly Values[]) => {
        checkCount(rows, items);
        // RETURNING needs a SELECT policy. A table that tenants only write may have none.
        const insert = selection.rows ? statements.insertReturningKeys : statements.insert;
        return allOrNothing(client, items, statements.maxRows, (part, some) => insert.call(statements, part, some));
      }),
    answers: 'rows',
  };
}

function updateMany(table: Table): Mutation {
  return {
    fieldName: table.named('update'),
    description: `Updates up to 1,000 \`${table.rows}\`, each with its own patch: all of them, or none.`,
    inputFields: () => ({ updates: { type: table.listOf('update') } }),
    plan: (input) =>
      run(table, bakedInput(table.listOf('update'), input('updates')), async (client, updates: readonly Update[]) => {
        checkCount('updates', updates);
        checkPatches('updates', updates);
        return update(table, client, 'updates', updates);
      }),
    answers: 'rows',
  };
}

function completeMany(table: Table): Mutation {
  const { keyNames } = table;
  return {
    fieldName: table.named('complete'),
    description: `Sets \`completed\` of up to 1,000 \`${table.rows}\`: all of them, or none.`,
    inputFields: () => ({
      [keyNames]: { type: table.listOf('key') },
      completed: { type: new GraphQLNonNull(GraphQLBoolean), defaultValue: true },
    }),
    plan: (input) => {
      const $items = lambda([input(keyNames), input('completed')] as const, ([keys, completed]) =>
        (keys as unknown[]).map((key) => ({ key, patch: { [completedColumn]: completed } })),
      );
      return run(table, $items, async (client, updates: readonly Update[]) => {
        checkCount(keyNames, updates);
        return update(table, client, keyNames, updates);
      });
    },
    answers: 'rows',
  };
}

function deleteMany(table: Table): Mutation {
  const { keyNames, statements } = table;
  return {
    fieldName: table.named('delete'),
    description: `Deletes up to 1,000 \`${table.rows}\`: all of them, or none.`,
    inputFields: () => ({ [keyNames]: { type: table.listOf('key') } }),
    plan: (input) =>
      run(table, input(keyNames), async (client, keys: readonly unknown[]) => {
        checkCount(keyNames, keys);
        checkKeys(table, keyNames, keys);
        return allOrNothing(client, keys, statements.maxRows, (part, some) => statements.delete(part, some));
      }),
    answers: 'keys',
  };
}

function update(table: Table, client: PgClient, name: string, updates: readonly Update[]): Promise<Keys> {
  const { statements } = table;
  const keys = updates.map(({ key }) => key);
  checkKeys(table, name, keys);
  return allOrNothing(client, updates, statements.maxRows, (part, some) => statements.update(part, some));
}

function run<Data>(table: Table, $data: Step, work: (client: PgClient, data: Data) => Promise<Keys>): Step<Keys> {
  return sideEffectWithPgClient(table.resource.executor, $data as Step<Data>, work);
}
