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
import { limitError, limits } from './complexity.ts';
import { checkShape } from './shape.ts';

type Parsed = { document: DocumentNode; errors?: never } | { document?: never; errors: readonly GraphQLError[] };

/**
 * Returns a function that parses and validates documents. It caches valid documents only, so that invalid ones evict
 * nothing.
 */
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

/** Parses and validates a document. Checks the limits before validation, which takes long for some documents. */
export function parseDocument(query: string, schema: GraphQLSchema, rules: readonly ValidationRule[]): Parsed {
  const document = limitError('characters', query.length) ?? read(query);
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
    // Validation evaluates the directives of a subscription. It throws if one uses a variable, which has no value yet.
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function read(query: string): DocumentNode | GraphQLError {
  const source = new Source(query, 'GraphQL HTTP Request');
  try {
    return parse(source, { maxTokens: limits.tokens });
  } catch (error) {
    return limitError('tokens', countTokens(source)) ?? (error as GraphQLError);
  }
}

/** Counts the tokens of a document up to its first syntax error. */
function countTokens(source: Source): number {
  const lexer = new Lexer(source);
  let count = 0;
  try {
    while (lexer.advance().kind !== TokenKind.EOF) count++;
  } catch {
    // The parser reports the syntax error.
  }
  return count;
}
