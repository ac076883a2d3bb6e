import { SafeError } from 'postgraphile/grafast';
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

const noField = 'The subscription selects no field: @skip or @include leave none.';

/** Returns the error of a subscription without a field, so that a websocket can refuse it before it starts. */
export function rootFieldProblem(
  operation: OperationDefinitionNode,
  { definitions }: DocumentNode,
): string | undefined {
  const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  const byName = Object.fromEntries(fragments.map((fragment) => [fragment.name.value, fragment]));
  return selectsField(operation, byName) ? undefined : noField;
}

/**
 * Refuses subscriptions in which @skip and @include leave no field, over HTTP too. Grafast assumes that there is a field.
 */
export const refuseEmptySubscriptions: GraphileConfig.Plugin = {
  name: 'RefuseEmptySubscriptionsPlugin',
  version: '1.0.0',
  grafast: {
    middleware: {
      establishOperationPlan(next, { operation, fragments }) {
        if (operation.operation === 'subscription' && !selectsField(operation, fragments)) throw new SafeError(noField);
        return next();
      },
    },
  },
};

/** Validation has checked that there is at most one field, and that its directives use no variables. */
function selectsField(
  { selectionSet }: OperationDefinitionNode,
  fragments: Readonly<Record<string, FragmentDefinitionNode>>,
): boolean {
  const selects = ({ selections }: SelectionSetNode): boolean =>
    selections.filter(isIncluded).some((node) => {
      if (node.kind === Kind.FIELD) return true;
      if (node.kind === Kind.INLINE_FRAGMENT) return selects(node.selectionSet);
      const fragment = fragments[node.name.value];
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
