import { setTimeout as sleep } from 'node:timers/promises';
import { ReplicaCooldown } from '../../../server/tenancy/replicaCooldown.ts';

test('a cooldown doubles with each failed probe up to a minute, and one probe runs at a time', async () => {
  let now = 0;
  const cooldown = new ReplicaCooldown(() => now);
  cooldown.failed();
  cooldown.failed();
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
      cooldown.probe(inVain);
      cooldown.probe(inVain);
    }
    expect(probes).toBe(before + 1);
    lengths.push(now - since);
    await sleep(20);
  }
  expect(lengths).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  now += 60_000;
  cooldown.probe(async () => true);
  await sleep(1);
  expect(cooldown.inUse).toBe(true);
  // It failed again soon: it rests for as long as before, and once it was steady, for the first time again.
  cooldown.failed();
  now += 59_000;
  cooldown.probe(async () => true);
  await sleep(1);
  expect(cooldown.inUse).toBe(false);
  now += 1000;
  cooldown.probe(async () => true);
  await sleep(1);
  expect(cooldown.inUse).toBe(true);
  now += 61_000;
  cooldown.failed();
  now += 5000;
  cooldown.probe(async () => true);
  await sleep(1);
  expect(cooldown.inUse).toBe(true);
});
