import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { Lanes, LaneTimeoutError, sharesOf } from '../../postgres/lanes.ts';

const patience = 20_000;
const never = new Cancellation();

/** Lets everything run that is due without waiting. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test.each([
  [1, Number.POSITIVE_INFINITY, 1],
  [2, 1, 1],
  [3, 2, 1],
  [10, 6, 2],
  [40, 24, 10],
])('a pool of %d connections has %d for writes and %d for slow statements', (size, write, bypass) => {
  expect(sharesOf(size)).toMatchObject({ write: { total: write }, bypass: { total: bypass } });
});

test.each([
  [1, 1],
  [3, 1],
  [4, 2],
  [10, 2],
  [40, 5],
])('a pool of %d connections has %d for exports', (size, total) => {
  expect(sharesOf(size).export.total).toBe(total);
});

test('a lane admits its share, and the next one when a connection is free', async () => {
  const lanes = new Lanes(2);
  const leave = await lanes.enter(['write'], 'ada', never, patience);
  let admitted = false;
  const second = lanes.enter(['write'], 'bob', never, patience).then((leaves) => {
    admitted = true;
    return leaves;
  });
  await settle();
  expect(admitted).toBe(false);
  expect(lanes.waiting).toBe(1);
  leave();
  leave();
  (await second)();
  expect(lanes.inUse('write')).toBe(0);
  expect(lanes.counts.write.waits).toBe(1);
});

test('tenants take turns, however many requests one of them has', async () => {
  const lanes = new Lanes(4);
  const order: string[] = [];
  const run = async (tenant: string) => {
    const leave = await lanes.enter(['bypass'], tenant, never, patience);
    order.push(tenant);
    await settle();
    leave();
  };
  await Promise.all(['ada', 'ada', 'ada', 'ada', 'bob', 'carol'].map(run));
  expect(order).toEqual(['ada', 'bob', 'carol', 'ada', 'ada', 'ada']);
});

test('a tenant that was slow once comes ahead of tenants that use the bypass lane all the time', async () => {
  const lanes = new Lanes(4);
  const order: string[] = [];
  const run = async (tenant: string) => {
    const leave = await lanes.enter(['bypass'], tenant, never, patience);
    order.push(tenant);
    await settle();
    leave();
  };
  const slow = Array.from({ length: 20 }, (_, index) => `slow ${index}`);
  await Promise.all(slow.map(run));
  order.length = 0;
  await Promise.all([...slow.map(run), run('bystander')]);
  expect(order.indexOf('bystander')).toBe(1);
});

test('a tenant has a quarter of the unshared connections, and tenants together leave some to the pipelines', async () => {
  const lanes = new Lanes(10);
  const asked = (tenant: string) => lanes.enter(['unshared'], tenant, never, patience);
  const ada = Array.from({ length: 10 }, () => asked('ada'));
  await settle();
  expect(lanes.inUse('unshared')).toBe(2);
  const others = ['bob', 'carol', 'dora', 'erin'].flatMap((tenant) => [asked(tenant), asked(tenant)]);
  await settle();
  expect(lanes.inUse('unshared')).toBe(6);
  await Promise.all([...ada, ...others].map(async (entered) => (await entered)()));
  expect(lanes.inUse('unshared')).toBe(0);
});

test('one tenant does not get the whole share while it is the only one that asks', async () => {
  const lanes = new Lanes(10);
  const first = await lanes.enter(['bypass'], 'ada', never, patience);
  const waits = lanes.enter(['bypass'], 'ada', never, patience);
  const other = await lanes.enter(['bypass'], 'bob', never, patience);
  expect(lanes.inUse('bypass')).toBe(2);
  first();
  (await waits)();
  other();
});

test('a slow write waits for both of its lanes, and holds neither meanwhile', async () => {
  const lanes = new Lanes(2);
  const write = await lanes.enter(['write'], 'ada', never, patience);
  const slowWrite = lanes.enter(['write', 'bypass'], 'bob', never, patience);
  await settle();
  const slowRead = await lanes.enter(['bypass'], 'carol', never, patience);
  write();
  await settle();
  expect(lanes.inUse('write')).toBe(0);
  slowRead();
  (await slowWrite)();
});

test('a request that is given up or waits for too long leaves the queue', async () => {
  const lanes = new Lanes(2);
  const leave = await lanes.enter(['export'], 'ada', never, patience);
  const cancellation = new Cancellation();
  const given = expect(lanes.enter(['export'], 'bob', cancellation, patience)).rejects.toThrow(CancelledError);
  cancellation.cancel('client gone');
  await given;
  await expect(lanes.enter(['export'], 'carol', never, 10)).rejects.toEqual(new LaneTimeoutError('export'));
  expect(lanes.waiting).toBe(0);
  leave();
  (await lanes.enter(['export'], 'dora', never, patience))();
});

test('a request that is admitted and given up in the same tick leaves its place to others', async () => {
  const lanes = new Lanes(2);
  const leave = await lanes.enter(['write'], 'ada', never, patience);
  const cancellation = new Cancellation();
  const given = expect(lanes.enter(['write'], 'bob', cancellation, patience)).rejects.toThrow(CancelledError);
  leave();
  cancellation.cancel('client gone');
  await given;
  expect(lanes.inUse('write')).toBe(0);
});
