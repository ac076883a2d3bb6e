import { lexicographicSortSchema, printSchema } from 'postgraphile/graphql';
import type { TestServer } from './server.ts';

/** The API in GraphQL's schema language, as it stands in schema.graphql. Sorted, so that a diff shows what changed. */
export function printApi({ graphqlSchema }: TestServer): string {
  return `${printSchema(lexicographicSortSchema(graphqlSchema))}\n`;
}
