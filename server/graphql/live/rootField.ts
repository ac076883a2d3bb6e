import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  getDirectiveValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'postgraphile/graphql';

/**
 * Whether @skip and @include leave a subscription a field. Grafast takes that for granted. That it is one field alone, and
 * that no variable decides, has been validated.
 */
export function selectsField({ selectionSet }: OperationDefinitionNode, { definitions }: DocumentNode): boolean {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const selects = ({ selections }: SelectionSetNode): boolean =>
    selections.filter(isIncluded).some((node) => {
      if (node.kind === Kind.FIELD) return true;
      if (node.kind === Kind.INLINE_FRAGMENT) return selects(node.selectionSet);
      const fragment = fragments.get(node.name.value);
      return fragment !== undefined && selects(fragment.selectionSet);
    });
  return selects(selectionSet);
}

function isIncluded(node: SelectionNode): boolean {
  return (
    getDirectiveValues(GraphQLSkipDirective, node)?.if !== true &&
    getDirectiveValues(GraphQLIncludeDirective, node)?.if !== false
  );
}
