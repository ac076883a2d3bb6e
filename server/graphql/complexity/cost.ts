import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isListType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  typeFromAST,
  type ValueNode,
} from 'postgraphile/graphql';
import { limitError, pageSize, planningUnits, valueCost } from './complexity.ts';
import { Items } from './items.ts';
import { Page, type Variables } from './page.ts';
import type { InputUse } from './variables.ts';

/** The cost of a selection: a fixed part, and a part for each item of its lists. */
interface Cost {
  fixed: number;
  readonly lists: { readonly size: number | Page | Items; readonly each: Cost }[];
}

/** The cost of an operation, computed as far as possible without its variables. */
export interface OperationCost {
  /** Returns the cost with these variables, or an error if a list is not allowed. See `cost` in complexity.ts. */
  of(variables: Variables): number | GraphQLError;
  readonly use: InputUse;
  /** Time to plan the operation, in units of `planningUnits`. */
  readonly planning: number;
  /** The answer may contain a value more often than the database sends it: by an alias, or for many rows. */
  readonly repeats: boolean;
}

/** Computes the cost of a validated operation. The limit on fields already bounds its size. */
export function costOf(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  schema: GraphQLSchema,
): OperationCost {
  const reader = new CostReader(operation, fragments, schema);
  const total = reader.total();
  const refused = reader.refused ?? limitError('planning', reader.planning);
  return {
    of(variables) {
      if (refused) return refused;
      for (const page of reader.variablePages) {
        const size = page.size(variables);
        if (size instanceof GraphQLError) return size;
      }
      return evaluate(total, variables);
    },
    use: reader.use,
    planning: reader.planning,
    repeats: reader.repeats,
  };
}

/** The context of a selection. */
interface Place {
  readonly type: GraphQLCompositeType;
  /** The cost that the selection adds to. */
  readonly into: Cost;
  /** For a connection: the cost of each row of the page. */
  readonly each?: Cost;
  /** The number of items of a list without pages; `undefined` if the field's own input determines it. */
  readonly items?: number | Items;
  /** The response keys of the selected values, by field name. */
  readonly values: Map<string, Set<string>>;
  /** The selection is inside a list. */
  readonly isRow?: boolean;
}

/** Walks an operation and accumulates its cost, its use of input and its planning time. */
class CostReader {
  readonly #operation: OperationDefinitionNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #schema: GraphQLSchema;
  readonly #defaults: ReadonlyMap<string, ValueNode>;
  readonly variablePages: Page[] = [];
  readonly use = { objects: 0, variables: new Map<string, number>() };
  /** In units of `planningUnits`. */
  planning = 0;
  repeats = false;
  refused: GraphQLError | undefined;

  constructor(
    operation: OperationDefinitionNode,
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
    schema: GraphQLSchema,
  ) {
    this.#operation = operation;
    this.#fragments = fragments;
    this.#schema = schema;
    this.#defaults = new Map(
      operation.variableDefinitions?.flatMap(({ variable, defaultValue }) =>
        defaultValue ? [[variable.name.value, defaultValue]] : [],
      ),
    );
  }

  total(): Cost {
    const total: Cost = { fixed: 0, lists: [] };
    const { operation, selectionSet } = this.#operation;
    const type = this.#schema.getRootType(operation);
    if (type) this.#add(selectionSet, { type, into: total, values: new Map() });
    return total;
  }

  #add(set: SelectionSetNode | undefined, place: Place): void {
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) this.#addField(node, place);
      else {
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
        const condition = fragment?.typeCondition && typeFromAST(this.#schema, fragment.typeCondition);
        const type = isCompositeType(condition) ? condition : place.type;
        this.#add(fragment?.selectionSet, { ...place, type });
      }
    }
  }

  #addField(node: FieldNode, place: Place): void {
    for (const { value } of node.arguments ?? []) this.#addInput(value);
    const { type: parent, into, each } = place;
    const field = 'getFields' in parent ? parent.getFields()[node.name.value] : undefined;
    const type = field && getNamedType(field.type);
    if (!isCompositeType(type)) {
      this.#addValue(node, place);
      return;
    }
    const isList = isListType(getNullableType(field?.type));
    const isPaged = field !== undefined && hasPages(field);
    // Two aliases may select one row, and many rows may refer to one row.
    if (node.alias || (place.isRow && !isPaged)) this.repeats = true;
    const items = parent === this.#schema.getMutationType() ? this.#itemsOf(node) : place.items;
    const inner = { type, values: new Map<string, Set<string>>(), ...(items !== undefined && { items }) };
    if (isPaged) {
      this.planning += planningUnits.connection;
      const row: Cost = { fixed: isList ? 1 : 0, lists: [] };
      if (isList) this.#add(node.selectionSet, { ...inner, into: row, isRow: true });
      else {
        into.fixed += 1;
        this.#add(node.selectionSet, { type, values: inner.values, into, each: row });
      }
      addList(into, this.#pageOf(node), row);
      return;
    }
    this.planning += isAbstractType(type) ? planningUnits.abstract : planningUnits.object;
    if (!isList) {
      into.fixed += 1;
      this.#add(node.selectionSet, { ...inner, into });
    } else if (each) {
      each.fixed += 1;
      this.#add(node.selectionSet, { ...inner, into: each, isRow: true });
    } else {
      const row: Cost = { fixed: 1, lists: [] };
      this.#add(node.selectionSet, { ...inner, into: row, isRow: true });
      addList(into, items ?? pageSize.default, row);
    }
  }

  /** Adds the cost of a value. Introspection fields count as values, because production refuses them. */
  #addValue({ name, alias }: FieldNode, { into, values }: Place): void {
    const keys = values.get(name.value) ?? new Set();
    const key = alias?.value ?? name.value;
    if (keys.has(key)) return;
    into.fixed += keys.size === 0 ? valueCost.first : valueCost.again;
    if (keys.size > 0) this.repeats = true;
    this.planning += planningUnits.value;
    values.set(name.value, keys.add(key));
  }

  #addInput(node: ValueNode): void {
    if (node.kind === Kind.VARIABLE) {
      const { variables } = this.use;
      this.planning += planningUnits.variable;
      variables.set(node.name.value, (variables.get(node.name.value) ?? 0) + 1);
    } else if (node.kind === Kind.LIST) {
      for (const value of node.values) this.#addInput(value);
    } else if (node.kind === Kind.OBJECT) {
      this.use.objects += 1;
      this.planning += planningUnits.inputObject;
      for (const { value } of node.fields) this.#addInput(value);
    }
  }

  #itemsOf(node: FieldNode): number | Items | undefined {
    const items = new Items(node, this.#defaults);
    return items.isConstant ? (items.size({}) ?? undefined) : items;
  }

  #pageOf(node: FieldNode): number | Page {
    const page = new Page(node, this.#defaults);
    if (!page.isConstant) {
      this.variablePages.push(page);
      return page;
    }
    const size = page.size({});
    if (!(size instanceof GraphQLError)) return size;
    this.refused ??= size;
    return 0;
  }
}

function hasPages({ args }: GraphQLField<unknown, unknown>): boolean {
  return args.some(({ name }) => name === 'first');
}

function addList(into: Cost, size: number | Page | Items, each: Cost): void {
  if (typeof size === 'number' && each.lists.length === 0) into.fixed += size * each.fixed;
  else if (each.fixed > 0 || each.lists.length > 0) into.lists.push({ size, each });
}

function evaluate({ fixed, lists }: Cost, variables: Variables): number {
  return lists.reduce((sum, { size, each }) => {
    const count = typeof size === 'number' ? size : ((size.size(variables) ?? pageSize.default) as number);
    return sum + count * evaluate(each, variables);
  }, fixed);
}
