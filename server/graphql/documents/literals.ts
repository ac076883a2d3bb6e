import { type DocumentNode, Kind, visit } from 'postgraphile/graphql';

/** Arguments whose numbers say how much is read, and not what. */
const paging = new Set(['first', 'last', 'offset']);

const sensitive = new Set<string>([Kind.STRING, Kind.INT, Kind.FLOAT]);

/** Whether a document has values in it that tell what somebody looks for or writes: text and numbers, except pages. */
export function hasSensitiveLiterals(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    enter(node, _key, parent) {
      if (found) return false;
      if (sensitive.has(node.kind)) {
        const argument = parent && 'kind' in parent && parent.kind === Kind.ARGUMENT ? parent.name.value : undefined;
        found = !(node.kind === Kind.INT && argument !== undefined && paging.has(argument));
      }
      return undefined;
    },
  });
  return found;
}
