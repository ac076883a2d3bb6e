import { GraphQLError } from 'postgraphile/graphql';

/** Rows of a connection's page. */
export const pageSize = { default: 100, maximum: 1000 } as const;

/**
 * The most that a document may have. Fragments count where they are spread, each time; every operation counts for
 * itself, `tokens` and `characters` for the whole document.
 */
export const limits = {
  characters: 100_000,
  tokens: 2000,
  /** Fields inside fields, counted downwards. */
  depth: 15,
  aliases: 30,
  directives: 50,
  /** Fields of an operation itself, not inside another. */
  'root fields': 20,
  fields: 1000,
  /** Time to plan the operation, in units of about 0.1 ms: see planningUnits. */
  planning: 1000,
  /** Objects and lists inside one another, in a literal or a variable. */
  'input depth': 15,
  /** Items of a list in a variable. */
  'input list': 1000,
  /** Objects in literals and variables, each time that one is used: a batch of 1,000 has two for each item. */
  'input objects': 2500,
  /** Characters of text in variables, each time that one is used. */
  'input characters': 100_000,
  /** The same for mutations, which write them: the largest body that is read. */
  'input characters of a mutation': 2_000_000,
  /** Objects that the answer may hold and, at a lower price, their values: list sizes multiply. */
  cost: 25_000,
} as const;

export type Limit = keyof typeof limits;

/**
 * Bytes that one request may read from the database, and bytes of its answer. `event`: both, for one event of a
 * subscription, because an account may have 200 subscriptions.
 */
export const byteLimits = { read: 16_000_000, answer: 16_000_000, event: 250_000 } as const;

/**
 * The most that a query may cost, and bytes that it may read, for Grafast to write its answer as one text. That takes a tenth
 * less time than values and `JSON.stringify`, and cannot be interrupted.
 */
export const textAnswer = { cost: 250, read: 250_000 } as const;

/**
 * Price of a value in an answer. A row has each of its columns for little; the same field again, under another alias,
 * is how a small document makes a large answer.
 */
export const valueCost = { first: 0.1, again: 1 } as const;

/**
 * How long Grafast takes to plan a field, in units of about 0.1 ms of a busy processor: measured for documents of many
 * shapes, see docs/adr/0020-bounded-requests.md.
 */
export const planningUnits = {
  value: 1,
  object: 5,
  connection: 20,
  abstract: 40,
  /** Each time that a variable is used. */
  variable: 5,
  /** An object in a literal. */
  inputObject: 0.3,
} as const;

/** The refusal of a document that has `value` of something that is limited; undefined when that is within the limit. */
export function beyond(limit: Limit, value: number): GraphQLError | undefined {
  const maximum = limits[limit];
  if (value <= maximum) return undefined;
  // Without what fractions leave behind when they are summed up.
  const counted = Math.ceil(Number(value.toFixed(3)));
  if (counted <= maximum) return undefined;
  // Nested fragments multiply to numbers that nobody wants to read.
  const shown = counted > 1e9 ? 'over 1000000000' : counted;
  return tooComplex(`${limit} ${shown} is more than ${maximum}`);
}

export function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'TOO_COMPLEX' } });
}

/** The refusal of a request that may be let through a moment later: 503 with `Retry-After`. */
export function busy(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'UNAVAILABLE' } });
}

export function answerTooLarge(message = 'the answer'): GraphQLError {
  return tooComplex(`${message} has more than ${byteLimits.answer} bytes`);
}

export function eventTooLarge(): GraphQLError {
  return tooComplex(`the event has more than ${byteLimits.event} bytes`);
}

export function badInput(message: string, field: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', field } });
}
