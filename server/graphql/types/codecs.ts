import { LIST_TYPES, listOfCodec, type PgCodec, type PgInterval, TYPES } from 'postgraphile/@dataplan/pg';
import { flagError } from 'postgraphile/grafast';
import { type SQL, sql } from 'postgraphile/pg-sql2';
import { parseExact } from './exactJson.ts';

/** The GraphQL type cannot represent a value of Postgres. The message goes to the log. */
class UnservableValueError extends Error {}

/**
 * Formats dates and times as JSON, which Postgres reads back for any DateStyle and TimeZone. PostGraphile uses `to_char`,
 * which omits the era, returns null for infinity, and turns 24:00 into 00:00 of the next day.
 */
const asJson = (value: SQL) => sql`(to_json(${value}) #>> '{}')`;

const time = /^(.*?\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([+-]\d\d)(:[\d:]+)?)?( BC)?$/;

/** Always adds six digits of a second and the minutes of an offset. Clients depend on this format. */
function withMicroseconds(text: string): string {
  const [, seconds, fraction = '', hours, minutes = ':00', era = ''] = time.exec(text) ?? [];
  if (seconds === undefined) return text;
  return `${seconds}.${fraction.padEnd(6, '0')}${hours === undefined ? '' : hours + minutes}${era}`;
}

/** Separates seconds and microseconds, because `to_char` writes a negative fraction as `00.-500000`. */
const intervalFormat = 'YYYY_MM_DD_HH24_MI_SS_US';

function readInterval(text: string): PgInterval {
  const parts = text.split('_').map(Number);
  if (parts.length !== 7) throw new UnservableValueError(`The type Interval cannot represent the interval ${text}.`);
  const [years, months, days, hours, minutes, seconds, microseconds] = parts as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { years, months, days, hours, minutes, seconds: (seconds * 1e6 + microseconds) / 1e6 };
}

/** Converts a line to two of its points. Postgres writes it as the coefficients of Ax + By + C = 0. */
function readLine(text: string): object {
  const [a, b, c] = text.slice(1, -1).split(',').map(Number) as [number, number, number];
  if (b === 0) return { a: { x: -c / a, y: 0 }, b: { x: -c / a, y: 1 } };
  return { a: { x: 0, y: -c / b }, b: { x: 1, y: -(a + c) / b } };
}

/** Returns a function that casts each item of a list, in order. */
function castItems(castFromPg: (value: SQL) => SQL): (list: SQL) => SQL {
  return (list) => sql`case when (${list}) is not null then array(
    select ${castFromPg(sql`entry`)} from unnest(${list}) with ordinality as entries (entry, n) order by n
  )::text end`;
}

const asIs = (text: string) => text;

/** Turns an unservable item into an error at its place in the list, so that the other items are served. */
function tolerant(fromPg: (text: string) => unknown): (text: string) => unknown {
  return (text) => {
    try {
      return fromPg(text);
    } catch (error) {
      if (!(error instanceof UnservableValueError)) throw error;
      return flagError(error);
    }
  };
}

/** Makes a list serve its other items if some items have no GraphQL representation. */
export function serveOtherItems(list: PgCodec): void {
  const item = list.arrayOfCodec;
  if (!item || !mayBeUnservable(item)) return;
  const { fromPg } = listOfCodec({ ...item, fromPg: tolerant(item.fromPg) } as never, {}) as PgCodec;
  Object.assign(list, { fromPg });
}

function mayBeUnservable(codec: PgCodec): boolean {
  if (codec.domainOfCodec) return mayBeUnservable(codec.domainOfCodec);
  return codec.rangeOfCodec !== undefined || codec.name === TYPES.interval.name;
}

/**
 * Corrects the codecs of builtin types that PostGraphile serves wrongly. It changes them in place, because PostGraphile and
 * its filter plugin recognize a type by the identity of its codec.
 */
export function correctBuiltinTypes(): void {
  const asInterval = (value: SQL) =>
    sql`coalesce(to_char(${value}, ${sql.literal(intervalFormat)}::text), (${value})::text)`;
  correct('date', asJson, asIs);
  for (const type of ['timestamp', 'timestamptz', 'time', 'timetz'] as const) correct(type, asJson, withMicroseconds);
  correct('interval', asInterval, readInterval);
  Object.assign(TYPES.line, { fromPg: readLine });
  Object.assign(LIST_TYPES.line, { fromPg: listOfCodec(TYPES.line).fromPg });
  for (const type of ['json', 'jsonb'] as const) {
    Object.assign(TYPES[type], { fromPg: parseExact });
    const { fromPg } = listOfCodec({ ...TYPES[type] } as never, {}) as PgCodec;
    Object.assign(LIST_TYPES[type], { fromPg });
  }
}

function correct(
  type: 'date' | 'timestamp' | 'timestamptz' | 'time' | 'timetz' | 'interval',
  castFromPg: (value: SQL) => SQL,
  fromPg: (text: string) => unknown,
): void {
  const codec = Object.assign(TYPES[type], { castFromPg, listCastFromPg: castItems(castFromPg), fromPg });
  const { castFromPg: castList, listCastFromPg, fromPg: readList } = listOfCodec(codec as never) as PgCodec;
  Object.assign(LIST_TYPES[type], { castFromPg: castList, listCastFromPg, fromPg: readList });
  serveOtherItems(LIST_TYPES[type] as PgCodec);
}

/**
 * Makes a range codec distinguish null and empty ranges. PostGraphile reads only the bounds, so both look like a range
 * without bounds.
 */
export function distinguishEmptyRange(codec: PgCodec): void {
  const { castFromPg, fromPg } = codec;
  if (castFromPg) {
    const cast = (value: SQL) => sql`case when isempty(${value}) then 'empty'
      when (${value}) is not null then ${castFromPg(value)} end`;
    Object.assign(codec, { castFromPg: cast, listCastFromPg: castItems(cast) });
  }
  const read = (text: string) => {
    if (text === 'empty')
      throw new UnservableValueError(`The GraphQL type of ${codec.name} cannot represent an empty range.`);
    return fromPg(text);
  };
  Object.assign(codec, { fromPg: read });
}
