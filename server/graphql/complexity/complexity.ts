import { GraphQLError } from 'postgraphile/graphql';

/** The number of rows on a connection's page. */
export const pageSize = { default: 100, maximum: 1000 } as const;

/**
 * The maximums of a document. A fragment counts each time it is spread. `tokens` and `characters` count for the whole
 * document, all others for each operation.
 */
export const limits = {
  characters: 100_000,
  tokens: 2000,
  /** Levels of nested fields. */
  depth: 15,
  aliases: 30,
  directives: 50,
  /** Fields at the top level of an operation. */
  'root fields': 20,
  fields: 1000,
  /** Time to plan the operation, in units of about 0.1 ms. See `planningUnits`. */
  planning: 1000,
  /** Levels of nested objects and lists in a literal or a variable. */
  'input depth': 15,
  /** Items of a list in a variable. */
  'input list': 1000,
  /** Objects in literals and variables, counted for each use. A bulk mutation of 1,000 has two for each item. */
  'input objects': 2500,
  /** Characters of text in variables, counted for each use. */
  'input characters': 100_000,
  /** The same for mutations, which store the text. It is the size of the largest body. */
  'input characters of a mutation': 2_000_000,
  /** Objects that the answer may contain and, at a lower price, their values. Sizes of nested lists multiply. */
  cost: 25_000,
} as const;

export type Limit = keyof typeof limits;

/**
 * `read` limits the bytes that a request reads from the database, `answer` the bytes of its answer. `event` limits both
 * for one event of a subscription; it is lower because an account may have 200 subscriptions.
 */
export const byteLimits = { read: 16_000_000, answer: 16_000_000, event: 250_000 } as const;

/**
 * The maximum cost and bytes read of a query whose answer Grafast writes as one text. That takes a tenth less time than
 * values and `JSON.stringify`, but cannot be interrupted.
 */
export const textAnswer = { cost: 250, read: 250_000 } as const;

/**
 * The price of a value in an answer. Each field of a row is cheap once. Another alias of the same field is expensive,
 * because aliases let a small document produce a large answer.
 */
export const valueCost = { first: 0.1, again: 1 } as const;

/**
 * The time that Grafast takes to plan a field, in units of about 0.1 ms of a busy processor. Measured for documents of
 * many shapes; see docs/adr/0020-bounded-requests.md.
 */
export const planningUnits = {
  value: 1,
  object: 5,
  connection: 20,
  abstract: 40,
  /** Each use of a variable. */
  variable: 5,
  /** An object in a literal. */
  inputObject: 0.3,
} as const;

/** Returns the error of a document that exceeds `limit`; `undefined` if `value` is within the limit. */
export function limitError(limit: Limit, value: number): GraphQLError | undefined {
  const maximum = limits[limit];
  if (value <= maximum) return undefined;
  // Sums of fractions have rounding errors.
  const counted = Math.ceil(Number(value.toFixed(3)));
  if (counted <= maximum) return undefined;
  // Nested fragments multiply to numbers with many digits.
  const shown = counted > 1e9 ? 'over 1000000000' : counted;
  return tooComplex(`${limit} ${shown} is more than ${maximum}`);
}

/** Creates an error with the code `TOO_COMPLEX`. */
export function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'TOO_COMPLEX' } });
}

/** Creates the error of a request that may succeed a moment later: 503 with `Retry-After`. */
export function busy(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'UNAVAILABLE' } });
}

export function answerTooLarge(message = 'the answer'): GraphQLError {
  return tooComplex(`${message} has more than ${byteLimits.answer} bytes`);
}

export function eventTooLarge(): GraphQLError {
  return tooComplex(`the event has more than ${byteLimits.event} bytes`);
}

/** Creates an error with the code `BAD_USER_INPUT` about `field`. */
export function badInput(message: string, field: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', field } });
}
