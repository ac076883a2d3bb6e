import {
  type DirectiveNode,
  type DocumentNode,
  type GraphQLError,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'postgraphile/graphql';
import { type Limit, limitError } from './complexity.ts';

type Shape = Record<'depth' | 'aliases' | 'directives' | 'root fields' | 'fields' | 'input depth', number>;

const emptyShape: Shape = { depth: 0, aliases: 0, directives: 0, 'root fields': 0, fields: 0, 'input depth': 0 };

/**
 * Checks the size of a document before validation, which takes long for some documents. The shape of each fragment is
 * computed once, however often it is spread. A cycle of fragments counts as empty where it closes; validation refuses it.
 *
 * @returns the error of the first exceeded limit.
 */
export function checkShape({ definitions }: DocumentNode): GraphQLError | undefined {
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [])),
  );
  const shapes = new Map<string, Shape>();

  const fragment = (name: string): Shape => {
    const counted = shapes.get(name);
    if (counted) return counted;
    shapes.set(name, emptyShape);
    const node = fragments.get(name);
    const shape = node ? withDirectives(ofSelections(node.selectionSet), node.directives) : emptyShape;
    shapes.set(name, shape);
    return shape;
  };

  const ofSelection = (node: SelectionNode): Shape => {
    if (node.kind === Kind.FRAGMENT_SPREAD) return withDirectives(fragment(node.name.value), node.directives);
    const inner = ofSelections(node.selectionSet);
    if (node.kind === Kind.INLINE_FRAGMENT) return withDirectives(inner, node.directives);
    const shape = withDirectives(inner, node.directives);
    shape.depth += 1;
    shape.fields += 1;
    shape['root fields'] = 1;
    if (node.alias) shape.aliases += 1;
    for (const { value } of node.arguments ?? []) shape['input depth'] = Math.max(shape['input depth'], depthOf(value));
    return shape;
  };

  const ofSelections = (set: SelectionSetNode | undefined): Shape => {
    const sum = { ...emptyShape };
    for (const node of set?.selections ?? []) {
      const shape = ofSelection(node);
      sum.depth = Math.max(sum.depth, shape.depth);
      sum['input depth'] = Math.max(sum['input depth'], shape['input depth']);
      for (const name of ['aliases', 'directives', 'root fields', 'fields'] as const) sum[name] += shape[name];
    }
    return sum;
  };

  for (const node of definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION && node.kind !== Kind.FRAGMENT_DEFINITION) continue;
    const shape = withDirectives(ofSelections(node.selectionSet), node.directives);
    if (node.kind === Kind.OPERATION_DEFINITION) {
      for (const { defaultValue, directives } of node.variableDefinitions ?? []) {
        shape.directives += directives?.length ?? 0;
        if (defaultValue) shape['input depth'] = Math.max(shape['input depth'], depthOf(defaultValue));
      }
    } else {
      shape['root fields'] = 0;
    }
    for (const limit of Object.keys(emptyShape) as (Limit & keyof Shape)[]) {
      const error = limitError(limit, shape[limit]);
      if (error) return error;
    }
  }
  return undefined;
}

function withDirectives(shape: Shape, directives: readonly DirectiveNode[] = []): Shape {
  return { ...shape, directives: shape.directives + directives.length };
}

function depthOf(node: ValueNode): number {
  if (node.kind === Kind.LIST) return 1 + Math.max(0, ...node.values.map(depthOf));
  if (node.kind === Kind.OBJECT) return 1 + Math.max(0, ...node.fields.map(({ value }) => depthOf(value)));
  return 0;
}
