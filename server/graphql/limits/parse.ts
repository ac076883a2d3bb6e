import { createHash } from 'node:crypto';
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
import { beyond, limits } from './limits.ts';
import { checkShape } from './shape.ts';

type Parsed = { document: DocumentNode; errors?: never } | { document?: never; errors: readonly GraphQLError[] };

/** Valid documents that are remembered, those that were used last. */
const remembered = 500;

/**
 * Parses and validates documents, and refuses those beyond the limits: before validation, which some documents keep
 * busy for long. Only documents that pass are remembered, so that bad ones push no good one out.
 */
export function parser(schema: GraphQLSchema, rules: readonly ValidationRule[]): (query: string) => Parsed {
  const documents = new Map<string, DocumentNode>();
  return (query) => {
    const key = query.length > 500 ? createHash('sha256').update(query).digest('base64') : query;
    const known = documents.get(key);
    if (known) {
      documents.delete(key);
      documents.set(key, known);
      return { document: known };
    }
    const document = read(query);
    if (document instanceof GraphQLError) return { errors: [document] };
    const refused = checkShape(document);
    if (refused) return { errors: [refused] };
    const errors = validate(schema, document, rules);
    if (errors.length > 0) return { errors };
    const [oldest] = documents.size < remembered ? [] : documents.keys();
    if (oldest !== undefined) documents.delete(oldest);
    documents.set(key, document);
    return { document };
  };
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
