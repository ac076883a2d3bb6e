import fc from 'fast-check';
import { isSmall, jsonPieces } from '../../../../server/graphql/output/json.ts';

const long = 'x'.repeat(70_000);

test('pieces make the JSON that JSON.stringify makes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, isLarge) => {
      // Large values are written part by part.
      const answer = { data: isLarge ? [value, { value, long }, { [long]: value }] : value };
      expect([...jsonPieces(answer)].join('')).toBe(JSON.stringify(answer));
    }),
  );
});

test.each([
  ['values that JSON leaves out or has as null', [undefined, Number.NaN, () => 1, { a: undefined, b: () => 1 }]],
  ['values that say themselves what they are', [new Date(0), { toJSON: () => ({ a: 1 }) }]],
  ['lists and objects without anything in them', [[], {}, [[]], [{}]]],
  ['text with characters that are escaped', ['"\\\u0000\ud800\u2028'.repeat(100)]],
])('%s are written alike in a large answer', (_, values) => {
  const answer = { values, [long]: values, more: Object.assign(Object.create(null), { values }) };
  expect([...jsonPieces(answer)].join('')).toBe(JSON.stringify(answer));
});

test('pieces are small, and aliases of one text take no copy of it before it is written', () => {
  const rows = Array.from({ length: 5000 }, (_, n) => ({ n, a: 'a'.repeat(100), b: 'b'.repeat(100) }));
  const lengths = Array.from(jsonPieces({ data: { rows } }), ({ length }) => length);
  expect(lengths.length).toBeGreaterThan(10);
  expect(Math.max(...lengths)).toBeLessThan(130_000);
  const endless = jsonPieces(Array.from({ length: 1e6 }, () => long));
  expect(endless.next().value?.length).toBeLessThan(2 * long.length);
});

test('an answer is small up to 64,000 characters', () => {
  expect(isSmall({ data: 'x'.repeat(63_000) })).toBe(true);
  expect(isSmall({ data: long })).toBe(false);
  expect(isSmall(Array.from({ length: 20_000 }, () => null))).toBe(false);
});
