import { once } from 'node:events';
import type { Request, Response } from 'express';
import { byteLimits } from '../complexity/complexity.ts';
import { isSmall, jsonPieces } from './json.ts';
import { TimeSlice, type Worked } from './timeSlice.ts';

/** Bytes up to which an answer's JSON is kept while it is measured; a longer one is written twice. */
const keptWhileMeasured = 1_000_000;

/** JSON that is ready to be sent, or a value that has to be written as JSON. */
interface Measured {
  readonly bytes: number;
  readonly pieces: Iterable<string>;
}

/**
 * Measures the JSON of a value that is not small, in time slices.
 *
 * @param most bytes that it may have.
 * @returns its pieces and length in bytes; undefined where it is longer than `most`.
 * @throws CancelledError once the request was given up.
 */
async function measure(value: unknown, time: TimeSlice, most: number): Promise<Measured | undefined> {
  // Grafast has just kept the event loop for all of these values.
  await time.rest();
  const kept: string[] = [];
  let bytes = 0;
  for (const piece of jsonPieces(value)) {
    bytes += Buffer.byteLength(piece);
    if (bytes > most) return undefined;
    if (bytes <= keptWhileMeasured) kept.push(piece);
    await time.pause();
  }
  // Behind the measure there may be a wait for a slow client: it holds values, and no second copy of them.
  return { bytes, pieces: bytes <= keptWhileMeasured ? kept : jsonPieces(value) };
}

/**
 * Measures a value's JSON in time slices, and stops at the limit.
 *
 * @param most bytes, not less than 250,000.
 * @returns whether it has at most that many.
 * @throws CancelledError once the request was given up.
 */
export async function fits(value: unknown, request: Worked, most: number = byteLimits.answer): Promise<boolean> {
  if (isSmall(value)) return true;
  const time = new TimeSlice(request);
  const measured = await measure(value, time, most);
  time.end();
  return measured !== undefined;
}

/** Status and headers of an answer. */
export interface Head {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The JSON of an answer that can be written at once: its data is text already, or it is small. */
function readyJson(payload: object): string | undefined {
  if ('data' in payload && typeof payload.data === 'string') {
    const { data, ...rest } = payload;
    const others = JSON.stringify(rest);
    return others === '{}' ? `{"data":${data}}` : `${others.slice(0, -1)},"data":${data}}`;
  }
  return isSmall(payload) ? JSON.stringify(payload) : undefined;
}

/**
 * Sends `payload` as JSON: a small one in one write, a large one in pieces, as fast as its client takes them.
 *
 * @returns false where the answer is longer than it may be; then nothing was sent.
 * @throws CancelledError once the request was given up.
 */
export async function send(request: Request, response: Response, head: Head, payload: object): Promise<boolean> {
  const json = readyJson(payload);
  if (json !== undefined) {
    const bytes = Buffer.byteLength(json);
    if (bytes > byteLimits.answer) return false;
    response.writeHead(head.statusCode, { ...head.headers, 'Content-Length': bytes }).end(json);
    await taken(request, response);
    return true;
  }
  const time = new TimeSlice(request);
  const measured = await measure(payload, time, byteLimits.answer);
  if (!measured) {
    time.end();
    return false;
  }
  const { bytes, pieces } = measured;
  response.writeHead(head.statusCode, { ...head.headers, 'Content-Length': bytes });
  if (bytes <= keptWhileMeasured) {
    response.end([...pieces].join(''));
    time.end();
    await taken(request, response);
    return true;
  }
  // The client decides how long this takes, and must not keep other tenants waiting.
  request.turn?.sending();
  for (const piece of pieces) {
    if (!response.write(piece)) {
      time.end();
      await request.cancellation.race(
        () => once(response, 'drain'),
        () => {},
      );
      time.begin();
    }
    await time.pause();
  }
  response.end();
  time.end();
  await taken(request, response);
  return true;
}

/** Waits until the client has taken the answer, for as long as the request may take. Most have, at once. */
async function taken(request: Request, response: Response): Promise<void> {
  if (response.writableLength === 0) return;
  await request.cancellation.race(
    () => once(response, 'finish'),
    () => {},
  );
}
