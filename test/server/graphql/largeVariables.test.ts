import { buildSchema, type OperationDefinitionNode, parse } from 'postgraphile/graphql';
import { costOf } from '../../../server/graphql/complexity/cost.ts';
import { checkVariables } from '../../../server/graphql/complexity/variables.ts';

const schema = buildSchema(`
  type Query { a: Int }
  type Mutation { create(todos: [[Int]]): Result }
  type Result { todos: [Todo] }
  type Todo { id: Int }
`);

/** A list of `count` empty lists that counts how often its items are read. */
function countedList(count: number): { list: unknown[]; reads: () => number } {
  let reads = 0;
  const list = new Proxy(
    Array.from({ length: count }, () => []),
    {
      get(target, key, receiver) {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, receiver);
      },
    },
  );
  return { list, reads: () => reads };
}

test('the cost of an operation with many lists reads each variable once', () => {
  const fields = Array.from({ length: 28 }, (_, n) => `a${n}: todos { id }`).join(' ');
  const document = parse(`mutation ($t: [[Int]]) { create(todos: $t) { ${fields} } }`);
  const cost = costOf(document.definitions[0] as OperationDefinitionNode, new Map(), schema);
  const { list, reads } = countedList(1000);
  expect(cost.of({ t: list })).toBeCloseTo(1 + 28 * 1000 * 1.1);
  expect(reads()).toBe(1000);
});

test('a list that is too long is refused without reading its items', () => {
  const { list, reads } = countedList(500_000);
  const refusal = checkVariables({ t: list, u: list }, { objects: 0, variables: new Map() }, true);
  expect(refusal?.message).toBe('input list 500000 is more than 1000');
  expect(reads()).toBe(0);
});
