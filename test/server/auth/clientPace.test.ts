import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledError } from '../../../postgres/cancellation.ts';
import { ClientPace } from '../../../server/auth/export/clientPace.ts';

/** A client that takes one chunk in `milliseconds`. */
function client(milliseconds: number): Writable {
  return new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, taken) => void sleep(milliseconds, undefined, { ref: false }).then(() => taken()),
  });
}

test('a client that takes a chunk just in time each time is refused when all its waits together are too long', async () => {
  const pace = new ClientPace({ perWrite: 60_000, total: 200, rate: 256 });
  const output = client(50);
  let chunks = 0;
  const read = async () => {
    for (;;) {
      await pace.write(output, 'chunk');
      chunks++;
    }
  };
  await expect(read()).rejects.toThrow(CancelledError);
  expect(chunks).toBeLessThanOrEqual(4);
});

test('a client that stops reading is refused', async () => {
  const pace = new ClientPace({ perWrite: 20, total: 60_000, rate: 256 });
  await expect(pace.write(client(60_000), 'chunk')).rejects.toThrow(CancelledError);
});

test('a client that reads steadily gets more time for each chunk', async () => {
  const pace = new ClientPace({ perWrite: 60_000, total: 50, rate: 0.001 });
  const output = client(20);
  for (let chunks = 0; chunks < 10; chunks++) await pace.write(output, 'x'.repeat(60));
});
