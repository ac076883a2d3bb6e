import { once } from 'node:events';
import type { Request, Response } from 'express';
import { byteLimits } from '../complexity/complexity.ts';
import { isSmall, jsonPieces } from './json.ts';
import { type ChargedRequest, TimeSlice } from './timeSlice.ts';

/** The JSON of an answer up to this number of bytes stays in memory while it is measured. Longer JSON is written twice. */
const maxBufferedBytes = 1_000_000;

/** The measured JSON of a value. Its pieces are in memory, or are written again while they are read. */
interface Measured {
  readonly bytes: number;
  readonly pieces: Iterable<string>;
}

/**
 * Measures the JSON of a large value in time slices.
 *
 * @param most the maximum number of bytes.
 * @returns the pieces and length of the JSON; `undefined` if it is longer than `most`.
 * @throws CancelledError when the request is canceled.
 */
async function measure(value: unknown, time: TimeSlice, most: number): Promise<Measured | undefined> {
  // Grafast has just held the event loop to build this value.
  await time.rest();
  const kept: string[] = [];
  let bytes = 0;
  for (const piece of jsonPieces(value)) {
    bytes += Buffer.byteLength(piece);
    if (bytes > most) return undefined;
    if (bytes <= maxBufferedBytes) kept.push(piece);
    await time.pause();
  }
  // The response may wait for a slow client. During that time, memory holds the values but no second copy of them.
  return { bytes, pieces: bytes <= maxBufferedBytes ? kept : jsonPieces(value) };
}

/**
 * Tells whether a value's JSON is within a limit. Measures it in time slices, and stops at the limit.
 *
 * @param request is charged for the time.
 * @param most the limit in bytes, at least 250,000.
 * @throws CancelledError when the request is canceled.
 */
export async function fits(
  value: unknown,
  request: ChargedRequest,
  most: number = byteLimits.answer,
): Promise<boolean> {
  if (isSmall(value)) return true;
  const time = new TimeSlice(request);
  const measured = await measure(value, time, most);
  time.end();
  return measured !== undefined;
}

/** The status and headers of a response. */
export interface Head {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Returns the JSON of a payload that is small, or whose data is already text; otherwise `undefined`. */
function readyJson(payload: object): string | undefined {
  if ('data' in payload && typeof payload.data === 'string') {
    const { data, ...rest } = payload;
    const others = JSON.stringify(rest);
    return others === '{}' ? `{"data":${data}}` : `${others.slice(0, -1)},"data":${data}}`;
  }
  return isSmall(payload) ? JSON.stringify(payload) : undefined;
}

/**
 * Sends `payload` as JSON. Small JSON leaves in one write; large JSON leaves in pieces, at the pace of the client.
 *
 * @returns false if the JSON is too long. Nothing was sent then.
 * @throws CancelledError when the request is canceled.
 */
export async function send(request: Request, response: Response, head: Head, payload: object): Promise<boolean> {
  const json = readyJson(payload);
  if (json !== undefined) {
    const bytes = Buffer.byteLength(json);
    if (bytes > byteLimits.answer) return false;
    response.writeHead(head.statusCode, { ...head.headers, 'Content-Length': bytes }).end(json);
    await waitForClient(request, response);
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
  if (bytes <= maxBufferedBytes) {
    response.end([...pieces].join(''));
    time.end();
    await waitForClient(request, response);
    return true;
  }
  // The client determines the duration from here, so the request gives up its turn to other tenants.
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
  await waitForClient(request, response);
  return true;
}

/** Waits until the client has waitForClient the response, within the deadline of the request. Most clients take it at once. */
async function waitForClient(request: Request, response: Response): Promise<void> {
  if (response.writableLength === 0) return;
  await request.cancellation.race(
    () => once(response, 'finish'),
    () => {},
  );
}
