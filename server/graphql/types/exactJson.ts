/** JSON.parse() with the source of a number, and numbers that JSON.stringify() writes as they stand: ES2027, Node 22. */
interface SourceJson {
  parse(text: string, revive: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
  rawJSON?(text: string): object;
  isRawJSON?(value: unknown): boolean;
}

const json = JSON as unknown as SourceJson;

/** Text without a run of so many digits and without an exponent, outside of UUIDs, has no number that JavaScript changes. */
const suspicious = /[\d.]{16}|(?:^|[:,[\s])-?[\d.]+[eE]/;

/**
 * Parses JSON for an answer that is written as JSON again. A number that JavaScript cannot hold, such as 9007199254740993,
 * becomes an object that `JSON.stringify` writes with all of its digits.
 *
 * @throws SyntaxError if the text is no JSON.
 */
export function parseExact(text: string): unknown {
  if (!json.rawJSON || !suspicious.test(text)) return JSON.parse(text);
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && !isExact(source, value) ? json.rawJSON?.(source) : value,
  );
}

/** Whether the value is a number with the digits that it had in JSON. */
export function isExactNumber(value: unknown): boolean {
  return json.isRawJSON?.(value) ?? false;
}

function isExact(source: string, value: number): boolean {
  return Number.isFinite(value) && digitsOf(source) === digitsOf(String(value));
}

/** A decimal as its significant digits and the power of ten of the last one: `-12.50e3` is `-125e2`. */
function digitsOf(decimal: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(decimal) ?? [];
  const all = `${whole}${fraction}`.replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return `${sign}0`;
  return `${sign}${digits}e${Number(exponent) - fraction.length + all.length - digits.length}`;
}
