import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isListType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'postgraphile/graphql';
import { pageSize } from './limits.ts';
import { Page, type Variables } from './page.ts';

/** Objects in an answer: some whatever the variables say, and some for each row of a page. */
interface Cost {
  fixed: number;
  readonly pages: { readonly size: number | Page; readonly each: Cost }[];
}

/** What an operation costs, worked out as far as it can be without its variables. */
export interface OperationCost {
  /** Objects that the answer may hold, connections and edges among them; an error where a page is not allowed. */
  of(variables: Variables): number | GraphQLError;
}

/** Reads a validated operation; its size is bounded already, by the number of its fields. */
export function costOf(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  schema: GraphQLSchema,
): OperationCost {
  const defaults = new Map(
    operation.variableDefinitions?.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [[variable.name.value, defaultValue]] : [],
    ),
  );
  const variablePages: Page[] = [];
  let refused: GraphQLError | undefined;

  const pageOf = (node: FieldNode): number | Page => {
    const page = new Page(node, defaults);
    if (!page.isConstant) {
      variablePages.push(page);
      return page;
    }
    const size = page.size({});
    if (!(size instanceof GraphQLError)) return size;
    refused ??= size;
    return 0;
  };

  /** Adds what `set` selects to `into`, and to `each` what stands in the lists of a connection. */
  const add = (set: SelectionSetNode | undefined, type: GraphQLCompositeType, into: Cost, each?: Cost): void => {
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) addField(node, type, into, each);
      else {
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value);
        const condition = fragment?.typeCondition && typeFromAST(schema, fragment.typeCondition);
        add(fragment?.selectionSet, isCompositeType(condition) ? condition : type, into, each);
      }
    }
  };

  const addField = (node: FieldNode, parent: GraphQLCompositeType, into: Cost, each?: Cost): void => {
    const field = 'getFields' in parent ? parent.getFields()[node.name.value] : undefined;
    const type = field && getNamedType(field.type);
    // Introspection is refused where it would matter.
    if (!isCompositeType(type)) return;
    if (field?.args.some(({ name }) => name === 'first')) {
      const row: Cost = { fixed: 0, pages: [] };
      into.fixed += 1;
      add(node.selectionSet, type, into, row);
      multiply(into, pageOf(node), row);
    } else if (!isListType(getNullableType(field?.type))) {
      into.fixed += 1;
      add(node.selectionSet, type, into);
    } else if (each) {
      each.fixed += 1;
      add(node.selectionSet, type, each);
    } else {
      const row: Cost = { fixed: 1, pages: [] };
      add(node.selectionSet, type, row);
      multiply(into, pageSize.default, row);
    }
  };

  const total: Cost = { fixed: 0, pages: [] };
  const root = schema.getRootType(operation.operation);
  if (root) add(operation.selectionSet, root, total);
  return {
    of(variables) {
      if (refused) return refused;
      for (const page of variablePages) {
        const size = page.size(variables);
        if (size instanceof GraphQLError) return size;
      }
      return evaluate(total, variables);
    },
  };
}

function multiply(into: Cost, size: number | Page, each: Cost): void {
  if (typeof size === 'number' && each.pages.length === 0) into.fixed += size * each.fixed;
  else if (each.fixed > 0) into.pages.push({ size, each });
}

function evaluate({ fixed, pages }: Cost, variables: Variables): number {
  return pages.reduce((sum, { size, each }) => {
    const rows = typeof size === 'number' ? size : (size.size(variables) as number);
    return sum + rows * evaluate(each, variables);
  }, fixed);
}
