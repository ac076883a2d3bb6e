import { type AttackName, attackNames } from '../../bench/noisy/attacks.ts';
import { answersToFloods, flood } from './floods.ts';
import { type FloodTarget, startFloodTarget } from './floodTarget.ts';

// HOSTILE_SERVER attacks the server of another directory. `npm run test:hostile -- --floods` does more of the same.
let target: FloodTarget;
beforeAll(async () => {
  target = await startFloodTarget({ directory: process.env.HOSTILE_SERVER, tenants: 1, many: 3000, large: 300 });
}, 120_000);
afterAll(() => target?.close());

/** Sizes just below the server's limits. If a limit is lower, the flood finds it. */
const sizes: Partial<Record<AttackName, number>> = { documents: 240, answers: 1400, nested: 100 };

/** Milliseconds of a flood at most: on a busy machine fewer of its requests are accepted. */
const patience = 20_000;

test.each(attackNames)(
  'a bystander is answered without an error beside a flood: %s',
  async (attack) => {
    const options = { connections: 30, answers: 10, accepted: 3, size: sizes[attack], patience };
    const damage = await flood(target, attack, options);
    expect(damage.bystander.complaints).toEqual([]);
    expect(damage.bystander.milliseconds.length).toBeGreaterThanOrEqual(1);
    expect(answersToFloods).toEqual(expect.arrayContaining(Object.keys(damage.flood)));
  },
  90_000,
);

test('a server with 512 MB of heap has survived all floods', async () => {
  expect((await target.metrics()).heap).toBeLessThan(512e6);
  expect(target.process.output()).not.toMatch(/heap out of memory|"level":60/);
});
