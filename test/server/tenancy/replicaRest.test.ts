import { setTimeout as sleep } from 'node:timers/promises';
import { Rest } from '../../../server/tenancy/replicaRest.ts';

test('a rest grows with each probe in vain, up to a minute, and one probe is under way at a time', async () => {
  let now = 0;
  const rest = new Rest(() => now);
  rest.failed();
  rest.failed();
  let probes = 0;
  const inVain = async () => {
    probes++;
    await sleep(1);
    return false;
  };
  const lengths: number[] = [];
  for (let round = 0; round < 6; round++) {
    const since = now;
    const before = probes;
    while (probes === before) {
      now += 1000;
      rest.probe(inVain);
      rest.probe(inVain);
    }
    expect(probes).toBe(before + 1);
    lengths.push(now - since);
    await sleep(20);
  }
  expect(lengths).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  now += 60_000;
  rest.probe(async () => true);
  await sleep(1);
  expect(rest.inUse).toBe(true);
  // It failed again soon: it rests for as long as before, and once it was steady, for the first time again.
  rest.failed();
  now += 59_000;
  rest.probe(async () => true);
  await sleep(1);
  expect(rest.inUse).toBe(false);
  now += 1000;
  rest.probe(async () => true);
  await sleep(1);
  expect(rest.inUse).toBe(true);
  now += 61_000;
  rest.failed();
  now += 5000;
  rest.probe(async () => true);
  await sleep(1);
  expect(rest.inUse).toBe(true);
});
