import { buildSchema, parse } from 'postgraphile/graphql';
import { Documents } from '../../../../server/graphql/documents/documents.ts';

const schema = buildSchema('type Query { todos(first: Int, title: String, done: Boolean): Int }');
const trusted = '{ todos(title: "trusted") }';

test.each([
  ['without values', '{ todos }', true],
  ['with the size of a page', '{ todos(first: 20) }', true],
  ['with variables', 'query ($t: String) { todos(title: $t) }', true],
  ['with what is no text and no number', '{ todos(done: true) }', true],
  ['that the operator trusts', trusted, true],
  ['with text', '{ todos(title: "x") }', false],
  ['with text in a default', 'query ($t: String = "x") { todos(title: $t) }', false],
  ['with a number in a directive', '{ todos @a(n: 1) }', false],
])('a document %s: is another tenant spared planning it (%j, %s)', (_, text, isShared) => {
  const documents = new Documents(schema, new Set([trusted]));
  const document = parse(text);
  documents.add(text, document, 'ada');
  expect(documents.find(text, 'ada')).toBe(document);
  expect(documents.find(text, 'bob')).toBe(isShared ? document : undefined);
});

test('plans go with their document, and weigh as much as they took to plan', () => {
  const documents = new Documents(schema, new Set());
  const document = parse('{ todos }');
  const [operation] = document.definitions;
  documents.add('{ todos }', document, 'ada');
  const weight = () => documents.weight;
  const before = weight();
  const plan = {};
  documents.planned(document, operation as never, plan, 100);
  expect(weight()).toBe(before + 400_000);
  documents.planned(document, operation as never, plan, 100);
  expect(weight()).toBe(before + 400_000);
  // Grafast keeps a few plans of an operation, whatever its variables are.
  for (let n = 0; n < 100; n++) documents.planned(document, operation as never, {}, 100);
  expect(weight()).toBeLessThanOrEqual(before + 5 * 400_000);
  const { extensions } = documents.schemaFor(document);
  expect(documents.schemaFor(document).extensions).toBe(extensions);
  expect(documents.schemaFor(parse('{ todos }')).extensions).not.toBe(extensions);
  documents.forget(document);
  expect([weight(), documents.find('{ todos }', 'ada')]).toEqual([0, undefined]);
});

test.each(['bob\n', 'bob:', 'private:bob:'])('a text that begins with %j is no key of bob’s documents', (prefix) => {
  const documents = new Documents(schema, new Set());
  const text = '{ todos(title: "x") }';
  documents.add(text, parse(text), 'bob');
  expect(documents.find(`${prefix}${text}`, 'mallory')).toBeUndefined();
});
