import { createHash } from 'node:crypto';
import type { Type } from '../catalog.ts';

/** Numbers and texts that a column's checks mention. */
export interface CheckHints {
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
}

export const noHints: CheckHints = { texts: [], numbers: [] };

/** A hash of the seed and the parts, as 64 hexadecimal digits. Equal inputs give equal values in every run. */
function seededHash(seed: number, ...parts: readonly (string | number)[]): string {
  return createHash('sha256')
    .update([seed, ...parts].join(' '))
    .digest('hex');
}

/**
 * Generates candidate values of a type, in Postgres' text format, best first.
 *
 * @param n the number of the row. Different numbers give different values if the type has enough values.
 * @param hints numbers and texts that the checks mention; values near them come after the usual value.
 */
export function candidates(
  types: ReadonlyMap<number, Type>,
  type: number,
  modifier: number,
  { seed, n, hints }: { seed: number; n: number; hints: CheckHints },
): string[] {
  const known = types.get(type);
  if (!known) return [];
  const candidatesOf = (oid: number | null, mod = -1, step = 0) =>
    candidates(types, oid as number, mod, { seed, n: n + step, hints });
  switch (known.kind) {
    case 'domain':
      return candidatesOf(known.of, known.modifier);
    case 'enum':
      return rotate(known.labels, n);
    case 'array':
      return [
        ...candidatesOf(known.of, modifier).map((value) => `{${quoteElement(value)}}`),
        `{${candidatesOf(known.of, modifier).slice(0, 2).map(quoteElement).join(',')}}`,
        '{}',
      ];
    case 'composite': {
      const fields = known.attributes.map((attribute) => candidatesOf(attribute.type, attribute.modifier));
      const width = Math.max(1, ...fields.map((values) => values.length));
      return Array.from(
        { length: Math.min(width, 5) },
        (_, i) =>
          `(${fields.map((values) => (values.length ? quoteElement(values[Math.min(i, values.length - 1)] as string) : '')).join(',')})`,
      );
    }
    case 'range': {
      const [low, high] = [candidatesOf(known.of)[0], candidatesOf(known.of, -1, 1)[0]];
      const ranges = [`[${low},${high})`, `[${high},${low})`, `[${low},${low}]`, 'empty'];
      return low === undefined || high === undefined
        ? ['empty']
        : ranges.map((range) => (range === 'empty' ? range : quoteBounds(range)));
    }
    case 'multirange':
      return candidatesOf(known.of).map((range) => (range === 'empty' ? '{}' : `{${range}}`));
    case 'base':
      return base(known.name, modifier, seed, n, hints);
    default:
      return [];
  }
}

const rotate = <Value>(values: readonly Value[], n: number) =>
  values.map((_, index) => values[(index + n) % values.length] as Value);

/** Quotes an element of an array or a field of a composite type. */
export const quoteElement = (value: string) => `"${value.replaceAll(/[\\"]/g, '\\$&')}"`;
const quoteBounds = (range: string) =>
  range.replaceAll(/[^[(\])]+/g, (bounds) => {
    const middle = Math.floor(bounds.length / 2);
    const comma = bounds.indexOf(',', 0) === bounds.lastIndexOf(',') ? bounds.indexOf(',') : middle;
    return `"${bounds.slice(0, comma)}","${bounds.slice(comma + 1)}"`;
  });

const day = (n: number) => new Date(Date.UTC(2031, 0, 1) + n * 10 * 86_400_000);
const iso = (n: number) => day(n).toISOString();

/** Candidate values of a base type. */
function base(name: string, modifier: number, seed: number, n: number, { texts, numbers }: CheckHints): string[] {
  const hex = seededHash(seed, n);
  const digit = (from: number, length: number) => Number.parseInt(hex.slice(from, from + length), 16);
  const whole = (limit: number) => {
    const adjacent = numbers.filter((number) => Number.isInteger(number)).flatMap((x) => [x, x + 1, x - 1, x + n]);
    const between = numbers.flatMap((low) =>
      numbers.filter((high) => high > low).map((high) => low + (n % (high - low + 1))),
    );
    return [100 + n, ...between, ...adjacent, n % 10, 1, 0, -1]
      .filter((x) => Math.abs(x) <= limit)
      .map((x) => String(Math.trunc(x)));
  };
  const plain = name.replace(/^"(.*)"$/, '$1');
  switch (plain) {
    case 'uuid': {
      return [
        `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
      ];
    }
    case 'smallint':
      return whole(32767);
    case 'integer':
    case 'oid':
    case 'xid':
    case 'cid':
      return whole(2147483647);
    case 'bigint':
    case 'xid8':
      return whole(Number.MAX_SAFE_INTEGER);
    case 'numeric': {
      const scale = modifier >= 0 ? (modifier - 4) & 0x7ff : 2;
      const limit = modifier >= 0 ? 10 ** (((modifier - 4) >> 16) - scale) : Number.MAX_SAFE_INTEGER;
      const values = [100 + n, ...numbers, ...numbers.flatMap((x) => [x + 1, x - 1, x / 2, x + n]), n % 10, 0.5, 0];
      return values.filter((x) => Math.abs(x) < limit).map((x) => x.toFixed(Math.min(scale, 10)));
    }
    case 'real':
    case 'double precision':
      return [100.5 + n, ...numbers, ...numbers.flatMap((x) => [x + 0.5, x - 0.5, x / 2]), 0.5, 0].map(String);
    case 'money':
      return [`${100 + n}.00`, ...numbers.map((x) => x.toFixed(2)), '1.00', '0.00'];
    case 'boolean':
      return n % 2 ? ['true', 'false'] : ['false', 'true'];
    case 'text':
    case 'character varying':
    case 'bpchar':
    case 'character':
    case 'citext':
    case 'name': {
      const maxLength =
        plain === 'name' ? 63 : plain === 'text' || plain === 'citext' || modifier < 4 ? 20_000 : modifier - 4;
      return textCandidates(seed, n, texts, numbers).filter(
        (word) => word.length <= maxLength || [...word].length <= maxLength,
      );
    }
    case 'char':
      return [String.fromCharCode(97 + (n % 26)), ...texts.filter((text) => text.length === 1)];
    case 'date':
      return [iso(n), iso(n + 0.1), iso(n + 0.5), ...texts, '2000-01-01', iso(n - 400), '1990-06-15'].map((text) =>
        text.slice(0, 10),
      );
    case 'timestamp without time zone':
    case 'timestamp with time zone': {
      const at = (place: number) =>
        iso(place)
          .replace('T', ' ')
          .replace('Z', plain.endsWith('without time zone') ? '' : '+00');
      return [at(n), at(n + 0.005), at(n + 0.5), ...texts, '2000-01-01 00:00:00', '1990-06-15 12:00:00'];
    }
    case 'time without time zone':
    case 'time with time zone': {
      const two = (number: number) => String(number).padStart(2, '0');
      const at = (hour: number) =>
        `${two(hour)}:${two(digit(0, 2) % 60)}:${two(digit(2, 2) % 60)}${plain.endsWith('with time zone') ? '+00' : ''}`;
      return [at(n % 23), at((n % 23) + 1), ...texts, '12:00:00'];
    }
    case 'interval':
      return [`${n + 1} hours ${digit(0, 2) % 60} minutes`, ...texts, '1 day', '1 minute', '0'];
    case 'bytea':
      return [
        hex.slice(0, 32),
        ...numbers.filter((x) => x > 0 && x <= 10_000).map((x) => hex.repeat(Math.ceil(x / 32)).slice(0, 2 * x)),
        hex,
      ].map((digits) => `\\x${digits}`);
    case 'json':
    case 'jsonb':
      return jsonCandidates(hex, n, texts);
    case 'inet':
      return [`10.${digit(0, 2)}.${digit(2, 2)}.${1 + (n % 250)}`, `2001:db8::${hex.slice(0, 4)}`];
    case 'cidr':
      return [`10.${digit(0, 2)}.${digit(2, 2)}.0/24`];
    case 'macaddr':
      return [(hex.slice(0, 12).match(/../g) as string[]).join(':')];
    case 'macaddr8':
      return [(hex.slice(0, 16).match(/../g) as string[]).join(':')];
    case 'bit':
    case 'bit varying': {
      const length = modifier > 0 ? modifier : 16;
      return [
        BigInt(`0x${hex.repeat(Math.ceil(length / 256))}`)
          .toString(2)
          .padStart(256, '0')
          .slice(-length),
        '1'.repeat(length),
        '0'.repeat(length),
      ];
    }
    case 'xml':
      return [`<a>${hex.slice(0, 8)}</a>`];
    case 'tsvector':
      return [`'${letters(hex, 8)}':1`];
    case 'tsquery':
      return [`'${letters(hex, 8)}'`];
    case 'point':
      return [`(${n},${digit(0, 2)})`];
    case 'line':
      return [`{1,${-n - 1},${digit(0, 2)}}`];
    case 'lseg':
    case 'path':
      return [`[(${n},0),(${n + 1},${digit(0, 2)})]`];
    case 'box':
      return [`(${10 * n + 5},5),(${10 * n},0)`];
    case 'polygon':
      return [`((${n},0),(${n + 1},0),(${n},${1 + digit(0, 2)}))`];
    case 'circle':
      return [`<(${10 * n},0),${1 + (digit(0, 2) % 4)}>`];
    case 'pg_lsn':
      return [`0/${hex.slice(0, 6).toUpperCase()}`];
    case 'ltree':
    case 'hstore':
      return plain === 'ltree' ? [`top.${letters(hex, 8)}`] : [`"k"=>"${hex.slice(0, 8)}"`];
    case 'regclass':
    case 'regtype':
      return [plain === 'regclass' ? 'pg_class' : 'integer'];
    case 'jsonpath':
      return [`$."${letters(hex, 8)}"`];
    default:
      return [hex.slice(0, 8), ...texts, String(n)];
  }
}

const repeated = (text: string, length: number) => text.repeat(Math.ceil(length / text.length) || 1).slice(0, length);
// Translating before repeating is faster for long words.
const letters = (hex: string, length: number) =>
  repeated(
    hex.replaceAll(/./g, (digit) => 'abcdefghijklmnop'[Number.parseInt(digit, 16)] as string),
    length,
  );
const digits = (hex: string, length: number) =>
  repeated(
    hex.replaceAll(/./g, (digit) => String(Number.parseInt(digit, 16) % 10)),
    length,
  );

/** Candidate texts: a word, texts that checks mention, words of each length that checks mention, and common formats. */
function textCandidates(seed: number, n: number, texts: readonly string[], numbers: readonly number[]): string[] {
  const hex = seededHash(seed, n, 'word');
  const word = letters(hex, 8);
  const lengths = [...new Set(numbers.flatMap((x) => [x, x - 1, x + 1]))]
    .filter((x) => Number.isInteger(x) && x > 0 && x <= 10_001)
    .slice(0, 30);
  // Texts that match LIKE patterns.
  const patterns = texts
    .filter((text) => /[%_]/.test(text))
    .map((text, i) => text.replaceAll('%', letters(seededHash(seed, n, i), 4)).replaceAll('_', 'x'));
  return [
    word,
    ...patterns,
    ...rotate(texts, n),
    ...texts.flatMap((text) => [`${text}${word}`, `${word}${text}`, `${word}${text}${word}`]),
    ...lengths.flatMap((length) => {
      const mixed = seededHash(seed, n, length);
      const word = letters(mixed, length);
      return [word, digits(mixed, length), word.toUpperCase(), repeated(mixed, length)];
    }),
    `${word.slice(0, 4)}@${word.slice(4)}.example.com`,
    `https://${word}.example.com/`,
    word.toUpperCase(),
    word[0]?.toUpperCase() + word.slice(1),
    digits(hex, 8),
    letters(hex, 1 + (n % 3)),
    letters(hex, 3),
    letters(hex, 2).toUpperCase(),
    `${digits(hex, 3)}-${digits(hex.slice(8), 4)}`,
    `+${1 + (n % 9)}${digits(hex, 10)}`,
    `${word} ${letters(hex.slice(8), 8)}`,
    '',
  ];
}

/** Candidate JSON values. Objects have the keys that checks mention. */
function jsonCandidates(hex: string, n: number, texts: readonly string[]): string[] {
  const word = letters(hex, 8);
  const object = (value: unknown) =>
    JSON.stringify(Object.fromEntries(texts.filter((text) => /^\w+$/.test(text)).map((key) => [key, value])));
  const pairs = texts.flatMap((key) =>
    texts.filter((value) => value !== key).map((value) => JSON.stringify({ [key]: value, note: word })),
  );
  return [
    JSON.stringify({ note: word, n }),
    ...(texts.length
      ? [object(word), object(100 + n), object([word]), object({ note: word }), object(true), ...pairs.slice(0, 40)]
      : []),
    JSON.stringify([word, n]),
    JSON.stringify(word),
    String(100 + n),
    'true',
    '{}',
    '[]',
    ...texts.filter((text) => /^[[{"]/.test(text)),
  ];
}
