import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Lexer,
  parse,
  Source,
  TokenKind,
  type ValidationRule,
  validate,
} from 'postgraphile/graphql';
import type { Documents } from '../documents/documents.ts';
import { beyond, limits } from './complexity.ts';
import { checkShape } from './shape.ts';

type Parsed = { document: DocumentNode; errors?: never } | { document?: never; errors: readonly GraphQLError[] };

/** Parses and validates documents; those that pass are remembered, so that bad ones push no good one out. */
export function parser(
  schema: GraphQLSchema,
  rules: readonly ValidationRule[],
  documents: Documents,
): (query: string, tenant: string) => Parsed {
  return (query, tenant) => {
    const known = documents.find(query, tenant);
    if (known) return { document: known };
    const parsed = parseDocument(query, schema, rules);
    if (parsed.document) documents.add(query, parsed.document, tenant);
    return parsed;
  };
}

/** Refuses a document beyond the limits before it is validated: some documents keep validation busy for long. */
export function parseDocument(query: string, schema: GraphQLSchema, rules: readonly ValidationRule[]): Parsed {
  const document = beyond('characters', query.length) ?? read(query);
  if (document instanceof GraphQLError) return { errors: [document] };
  const refused = checkShape(document);
  if (refused) return { errors: [refused] };
  const errors = validated(schema, document, rules);
  return errors.length > 0 ? { errors } : { document };
}

function validated(schema: GraphQLSchema, document: DocumentNode, rules: readonly ValidationRule[]) {
  try {
    return validate(schema, document, rules);
  } catch (error) {
    // It evaluates the directives of a subscription, and throws where one has a variable, which has no value yet.
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function read(query: string): DocumentNode | GraphQLError {
  const source = new Source(query, 'GraphQL HTTP Request');
  try {
    return parse(source, { maxTokens: limits.tokens });
  } catch (error) {
    return beyond('tokens', countTokens(source)) ?? (error as GraphQLError);
  }
}

/** Tokens of a document, up to where it stops being one. */
function countTokens(source: Source): number {
  const lexer = new Lexer(source);
  let count = 0;
  try {
    while (lexer.advance().kind !== TokenKind.EOF) count++;
  } catch {
    // What cannot be read is the parser's to describe.
  }
  return count;
}
