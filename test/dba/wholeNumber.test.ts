import { wholeNumber } from '../../dba/cli/wholeNumber.ts';

test.each(['1', '20', '007'])('%j is accepted as a whole number from 1', (text) => {
  expect(wholeNumber(1)(text)).toBe(Number(text));
});

test.each(['', ' ', '0', '-1', '1.5', '1e3', '0x10', 'many'])('%j is refused', (text) => {
  expect(() => wholeNumber(1)(text)).toThrow('It must be a whole number, at least 1.');
});
