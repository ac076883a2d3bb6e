import {
  type DefinitionNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  specifiedRules,
  visit,
} from 'postgraphile/graphql';
import { parseDocument } from '../server/graphql/complexity/parse.ts';
import { documentId } from '../server/graphql/documentId.ts';
import type { GraphQLText } from './sources.ts';

/** An operation with its fragments, in the form that the client sends. */
interface TrustedDocument {
  readonly name: string;
  readonly id: string;
  readonly text: string;
}

export interface Bundle {
  /** Ordered by name. */
  readonly documents: readonly TrustedDocument[];
  /** Problems, one line each. */
  readonly problems: readonly string[];
}

/**
 * Creates a document for each operation. It finds fragments by name in all files, so the names of operations and
 * fragments must be unique. Documents that the server would refuse become problems.
 */
export function bundle(sources: readonly GraphQLText[], schema: GraphQLSchema): Bundle {
  const problems: string[] = [];
  const operations = new Map<string, OperationDefinitionNode>();
  const fragments = new Map<string, FragmentDefinitionNode>();
  const files = new Map<DefinitionNode, string>();

  const add = <Node extends DefinitionNode & { name?: { value: string } | undefined }>(
    known: Map<string, Node>,
    node: Node,
    file: string,
  ) => {
    const name = node.name?.value;
    const other = known.get(name ?? '');
    if (name === undefined) problems.push(`${file}: an operation has no name; name it`);
    else if (other) problems.push(`${file}: ${name} is already in ${files.get(other)}; rename one of them`);
    else {
      known.set(name, node);
      files.set(node, file);
    }
  };
  for (const { file, text } of sources) {
    try {
      for (const node of parse(text, { noLocation: true }).definitions) {
        if (node.kind === Kind.OPERATION_DEFINITION) add(operations, node, file);
        else if (node.kind === Kind.FRAGMENT_DEFINITION) add(fragments, node, file);
      }
    } catch (error) {
      problems.push(`${file}: ${(error as Error).message}`);
    }
  }

  const documents = [...operations]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, operation]) => {
      const needed = withFragments(operation, fragments);
      const text = print({ kind: Kind.DOCUMENT, definitions: needed });
      const { errors = [] } = parseDocument(text, schema, specifiedRules);
      for (const { message } of errors) problems.push(`${files.get(operation)}: ${name}: ${message}`);
      return { name, id: documentId(text), text };
    });
  return { documents, problems };
}

function withFragments(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): DefinitionNode[] {
  const needed = new Set<DefinitionNode>([operation]);
  // The loop also visits fragments that it adds to the set.
  for (const node of needed) {
    visit(node, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (fragment) needed.add(fragment);
      },
    });
  }
  return [...needed];
}
