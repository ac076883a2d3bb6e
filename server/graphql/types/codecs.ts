import { LIST_TYPES, listOfCodec, type PgCodec, type PgInterval, TYPES } from 'postgraphile/@dataplan/pg';
import { flagError } from 'postgraphile/grafast';
import { type SQL, sql } from 'postgraphile/pg-sql2';
import { parseExact } from './exactJson.ts';

/** A value of Postgres that its GraphQL type cannot hold. The message is for the log. */
class UnservableValueError extends Error {}

/**
 * PostGraphile formats dates and times by `to_char`, which knows no era, gives null for infinity, and turns 24:00 into 00:00
 * of the next day. JSON is what Postgres reads back, whatever DateStyle and TimeZone are.
 */
const asJson = (value: SQL) => sql`(to_json(${value}) #>> '{}')`;

const time = /^(.*?\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([+-]\d\d)(:[\d:]+)?)?( BC)?$/;

/** Six digits of a second and minutes of an offset always, as clients have always got them. */
function withMicroseconds(text: string): string {
  const [, seconds, fraction = '', hours, minutes = ':00', era = ''] = time.exec(text) ?? [];
  if (seconds === undefined) return text;
  return `${seconds}.${fraction.padEnd(6, '0')}${hours === undefined ? '' : hours + minutes}${era}`;
}

/** Seconds and microseconds apart: `to_char` writes a negative fraction as `00.-500000`. */
const intervalFormat = 'YYYY_MM_DD_HH24_MI_SS_US';

function readInterval(text: string): PgInterval {
  const parts = text.split('_').map(Number);
  if (parts.length !== 7)
    throw new UnservableValueError(`An interval is ${text}, which the type Interval cannot hold.`);
  const [years, months, days, hours, minutes, whole, micro] = parts as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { years, months, days, hours, minutes, seconds: (whole * 1e6 + micro) / 1e6 };
}

/** A line is served as two points of it; Postgres writes it as the numbers of Ax + By + C = 0. */
function readLine(text: string): object {
  const [a, b, c] = text.slice(1, -1).split(',').map(Number) as [number, number, number];
  if (b === 0) return { a: { x: -c / a, y: 0 }, b: { x: -c / a, y: 1 } };
  return { a: { x: 0, y: -c / b }, b: { x: 1, y: -(a + c) / b } };
}

/** Casts each item of a list, in its order. */
function castItems(castFromPg: (value: SQL) => SQL): (list: SQL) => SQL {
  return (list) => sql`case when (${list}) is not null then array(
    select ${castFromPg(sql`entry`)} from unnest(${list}) with ordinality as entries (entry, n) order by n
  )::text end`;
}

const asIs = (text: string) => text;

/** An item without a GraphQL form is an error at its own place in the list; the other items are served. */
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

/** Has a list of a type whose values may have no GraphQL form serve those that have one. */
export function tolerateItems(list: PgCodec): void {
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
 * Corrects the codecs of builtin types that PostGraphile serves wrongly. They are changed in place: PostGraphile and its
 * filters know a type by the identity of its codec.
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
  tolerateItems(LIST_TYPES[type] as PgCodec);
}

/**
 * Makes a range tell that it is null or empty: PostGraphile reads its bounds, which are then those of a range without
 * bounds.
 */
export function tellEmpty(codec: PgCodec): void {
  const { castFromPg, fromPg } = codec;
  if (castFromPg) {
    const told = (value: SQL) => sql`case when isempty(${value}) then 'empty'
      when (${value}) is not null then ${castFromPg(value)} end`;
    Object.assign(codec, { castFromPg: told, listCastFromPg: castItems(told) });
  }
  const read = (text: string) => {
    if (text === 'empty') throw new UnservableValueError(`A ${codec.name} is empty, which its type cannot hold.`);
    return fromPg(text);
  };
  Object.assign(codec, { fromPg: read });
}
