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

/** An operation with the fragments that it needs, as it is sent to the server. */
interface TrustedDocument {
  readonly name: string;
  readonly id: string;
  readonly text: string;
}

export interface Bundle {
  /** In the order of their names. */
  readonly documents: readonly TrustedDocument[];
  /** What is wrong, a line each. */
  readonly problems: readonly string[];
}

/**
 * Makes a document of each operation. Fragments are found by name, in whichever file they stand; operations and
 * fragments must have names of their own, and what the server would refuse is refused here.
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
    if (name === undefined) problems.push(`${file}: an operation has no name`);
    else if (other) problems.push(`${file}: ${name} is in ${files.get(other)} already`);
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
  // A set gives its loop what is added meanwhile.
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
