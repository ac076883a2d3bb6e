import { type DocumentNode, Kind, visit } from 'postgraphile/graphql';

/** Arguments whose numbers are sizes, and so not sensitive. */
const paging = new Set(['first', 'last', 'offset']);

const sensitive = new Set<string>([Kind.STRING, Kind.INT, Kind.FLOAT]);

/** Tells whether a document has literals that reveal what a tenant reads or writes: text and numbers, except page sizes. */
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
