import { jsonPieces } from '../../../../server/graphql/output/json.ts';
import { parseExact } from '../../../../server/graphql/types/exactJson.ts';

const { jest } = import.meta;

test.each([
  '9007199254740993',
  '-123456789012345678901234567890',
  '0.12345678901234567890123',
  '1e400',
  '1234567.12345678901',
  '{"id":9007199254740993,"list":[1,18446744073709551615,{"a":0.10000000000000000001}]}',
])('%s is written again with all of its digits', (json) => {
  expect(JSON.stringify(parseExact(json))).toBe(json);
});

test.each([
  '9007199254740991',
  '1e2',
  '0.1',
  '-0.0',
  '100000000000000000000',
  '1.50',
  '"9007199254740993"',
  'null',
  '[]',
])('%s is what JSON.parse makes of it', (json) => expect(parseExact(json)).toStrictEqual(JSON.parse(json)));

test.each([
  '{"__proto__":9007199254740993,"a":{"__proto__":[9007199254740993]}}',
  '["\\"9007199254740993","\\\\",9007199254740993,"1e400",1e400,-1e-400]',
])('%s keeps its keys, texts and digits', (json) => expect(JSON.stringify(parseExact(json))).toBe(json));

test.each(['[9007199254740993', '[9007199254740993 1]', '-9007199254740993-', '[1e5e5]', '01234567890123456'])(
  '%s is no JSON',
  (json) => expect(() => parseExact(json)).toThrow(SyntaxError),
);

test('a large text is scanned, and not handed to a function number by number', () => {
  const json = `[9007199254740993,${'1,'.repeat(1_000_000)}1]`;
  const calls = jest.spyOn(JSON, 'parse');
  expect(JSON.stringify(parseExact(json))).toBe(json);
  expect(calls.mock.calls.map(({ length }) => length)).toEqual([1]);
});

test('numbers in a large answer keep their digits', () => {
  const long = 'x'.repeat(70_000);
  const digits = `0.${'1'.repeat(70_000)}`;
  const json = `{"long":"${long}","id":9007199254740993,"digits":${digits}}`;
  expect([...jsonPieces(parseExact(json))].join('')).toBe(json);
});
