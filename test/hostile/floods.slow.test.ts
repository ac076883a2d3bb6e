import { type AttackName, attackNames } from '../../bench/noisy/attacks.ts';
import { answersToFloods, flood } from './floods.ts';
import { type FloodTarget, startFloodTarget } from './floodTarget.ts';

// HOSTILE_SERVER names another directory whose server to attack. `npm run test:hostile -- --floods` runs longer floods.
let target: FloodTarget;
beforeAll(async () => {
  target = await startFloodTarget({ directory: process.env.HOSTILE_SERVER, tenants: 1, many: 3000, large: 300 });
}, 120_000);
afterAll(() => target?.close());

/** Sizes just below the server's limits. If a limit is lower, the flood finds the accepted size. */
const sizes: Partial<Record<AttackName, number>> = { documents: 240, answers: 1400, nested: 100 };

/** Maximum duration of a flood in milliseconds. On a busy machine, the server accepts fewer requests. */
const timeout = 20_000;

test.each(attackNames)(
  'a bystander gets no error during a flood: %s',
  async (attack) => {
    const options = { connections: 30, bystanderAnswers: 10, acceptedRequests: 3, size: sizes[attack], timeout };
    const damage = await flood(target, attack, options);
    expect(damage.bystander.problems).toEqual([]);
    expect(damage.bystander.milliseconds.length).toBeGreaterThanOrEqual(1);
    expect(answersToFloods).toEqual(expect.arrayContaining(Object.keys(damage.flood)));
  },
  90_000,
);

test('a server with 512 MB of heap survives all floods', async () => {
  expect((await target.metrics()).heap).toBeLessThan(512e6);
  expect(target.process.output()).not.toMatch(/heap out of memory|"level":60/);
});
