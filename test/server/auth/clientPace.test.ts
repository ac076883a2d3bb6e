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

test('a client that takes a chunk just in time each time is given up once it has taken too long altogether', async () => {
  const pace = new ClientPace({ atOnce: 60_000, altogether: 200, rate: 256 });
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

test('a client that stops reading is given up', async () => {
  const pace = new ClientPace({ atOnce: 20, altogether: 60_000, rate: 256 });
  await expect(pace.write(client(60_000), 'chunk')).rejects.toThrow(CancelledError);
});

test('a client that reads steadily may take as long as what it reads', async () => {
  const pace = new ClientPace({ atOnce: 60_000, altogether: 50, rate: 0.001 });
  const output = client(20);
  for (let chunks = 0; chunks < 10; chunks++) await pace.write(output, 'x'.repeat(60));
});
