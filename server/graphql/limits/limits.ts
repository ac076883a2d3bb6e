import { GraphQLError } from 'postgraphile/graphql';

/** Rows of a connection's page. */
export const pageSize = { default: 100, maximum: 1000 } as const;

/**
 * The most that a document may have. Fragments count where they are spread, each time; every operation counts for
 * itself, `tokens` for the whole document.
 */
export const limits = {
  tokens: 2000,
  /** Fields inside fields, counted downwards. */
  depth: 15,
  aliases: 30,
  directives: 50,
  /** Fields of an operation itself, not inside another. */
  'root fields': 20,
  fields: 1000,
  /** Objects and lists inside one another, in a literal or a variable. */
  'input depth': 15,
  /** Items of a list in a variable. */
  'input list': 1000,
  /** Objects in the variables: a batch of 1,000 has two for each item. */
  'input objects': 2500,
  /** Objects that the answer may hold: list sizes multiply. */
  cost: 25_000,
} as const;

export type Limit = keyof typeof limits;

/** The refusal of a document that has `value` of something that is limited; undefined when that is within the limit. */
export function beyond(limit: Limit, value: number): GraphQLError | undefined {
  const maximum = limits[limit];
  if (value <= maximum) return undefined;
  // Nested fragments multiply to numbers that nobody wants to read.
  const shown = value > 1e9 ? 'over 1000000000' : value;
  return tooComplex(`${limit} ${shown} is more than ${maximum}`);
}

export function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'TOO_COMPLEX' } });
}

export function badInput(message: string, field: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', field } });
}
