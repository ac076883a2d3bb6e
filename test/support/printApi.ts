import { lexicographicSortSchema, printSchema } from 'postgraphile/graphql';
import type { TestServer } from './server.ts';

/** Prints the API as SDL, as in schema.graphql. Sorted, so that a diff shows only real changes. */
export function printApi({ graphqlSchema }: TestServer): string {
  return `${printSchema(lexicographicSortSchema(graphqlSchema))}\n`;
}
