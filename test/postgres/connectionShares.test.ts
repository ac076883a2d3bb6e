import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { ConnectionShares, ShareTimeoutError, shareSizes } from '../../postgres/connectionShares.ts';

/** Milliseconds that a request waits at most. */
const timeout = 20_000;
const never = new Cancellation();

/** Lets all pending microtasks and `setImmediate` callbacks run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test.each([
  [1, Number.POSITIVE_INFINITY, 1],
  [2, 1, 1],
  [3, 2, 1],
  [10, 6, 2],
  [40, 24, 10],
])('a pool of %d connections has %d for writes and %d for slow statements', (size, write, bypass) => {
  expect(shareSizes(size)).toMatchObject({ write: { total: write }, bypass: { total: bypass } });
});

test.each([
  [1, 1],
  [3, 1],
  [4, 2],
  [10, 2],
  [40, 5],
])('a pool of %d connections has %d for exports', (size, total) => {
  expect(shareSizes(size).export.total).toBe(total);
});

test('a share admits as many requests as it has connections, and the next one when a connection is free', async () => {
  const shares = new ConnectionShares(2);
  const release = await shares.enter(['write'], 'ada', never, timeout);
  let admitted = false;
  const second = shares.enter(['write'], 'bob', never, timeout).then((released) => {
    admitted = true;
    return released;
  });
  await settle();
  expect(admitted).toBe(false);
  expect(shares.waiting).toBe(1);
  release();
  release();
  (await second)();
  expect(shares.inUse('write')).toBe(0);
  expect(shares.counts.write.waits).toBe(1);
});

test('keys take turns, however many requests one of them has', async () => {
  const shares = new ConnectionShares(4);
  const order: string[] = [];
  const run = async (key: string) => {
    const release = await shares.enter(['bypass'], key, never, timeout);
    order.push(key);
    await settle();
    release();
  };
  await Promise.all(['ada', 'ada', 'ada', 'ada', 'bob', 'carol'].map(run));
  expect(order).toEqual(['ada', 'bob', 'carol', 'ada', 'ada', 'ada']);
});

test('a key that was slow once comes before keys that use the bypass share all the time', async () => {
  const shares = new ConnectionShares(4);
  const order: string[] = [];
  const run = async (key: string) => {
    const release = await shares.enter(['bypass'], key, never, timeout);
    order.push(key);
    await settle();
    release();
  };
  const slow = Array.from({ length: 20 }, (_, index) => `slow ${index}`);
  await Promise.all(slow.map(run));
  order.length = 0;
  await Promise.all([...slow.map(run), run('bystander')]);
  expect(order.indexOf('bystander')).toBe(1);
});

test('a key gets a quarter of the unshared connections, and all keys together leave some to the pipelines', async () => {
  const shares = new ConnectionShares(10);
  const enter = (key: string) => shares.enter(['unshared'], key, never, timeout);
  const ada = Array.from({ length: 10 }, () => enter('ada'));
  await settle();
  expect(shares.inUse('unshared')).toBe(2);
  const others = ['bob', 'carol', 'dora', 'erin'].flatMap((key) => [enter(key), enter(key)]);
  await settle();
  expect(shares.inUse('unshared')).toBe(6);
  await Promise.all([...ada, ...others].map(async (entered) => (await entered)()));
  expect(shares.inUse('unshared')).toBe(0);
});

test('a key does not get the whole share, even without other requests', async () => {
  const shares = new ConnectionShares(10);
  const first = await shares.enter(['bypass'], 'ada', never, timeout);
  const waits = shares.enter(['bypass'], 'ada', never, timeout);
  const other = await shares.enter(['bypass'], 'bob', never, timeout);
  expect(shares.inUse('bypass')).toBe(2);
  first();
  (await waits)();
  other();
});

test('a slow write waits for both of its shares, and holds neither while it waits', async () => {
  const shares = new ConnectionShares(2);
  const write = await shares.enter(['write'], 'ada', never, timeout);
  const slowWrite = shares.enter(['write', 'bypass'], 'bob', never, timeout);
  await settle();
  const slowRead = await shares.enter(['bypass'], 'carol', never, timeout);
  write();
  await settle();
  expect(shares.inUse('write')).toBe(0);
  slowRead();
  (await slowWrite)();
});

test('a canceled or timed-out request leaves the queue', async () => {
  const shares = new ConnectionShares(2);
  const release = await shares.enter(['export'], 'ada', never, timeout);
  const cancellation = new Cancellation();
  const canceled = expect(shares.enter(['export'], 'bob', cancellation, timeout)).rejects.toThrow(CancelledError);
  cancellation.cancel('client gone');
  await canceled;
  await expect(shares.enter(['export'], 'carol', never, 10)).rejects.toEqual(new ShareTimeoutError('export'));
  expect(shares.waiting).toBe(0);
  release();
  (await shares.enter(['export'], 'dora', never, timeout))();
});

test('a request that is admitted and canceled in the same tick frees its place', async () => {
  const shares = new ConnectionShares(2);
  const release = await shares.enter(['write'], 'ada', never, timeout);
  const cancellation = new Cancellation();
  const canceled = expect(shares.enter(['write'], 'bob', cancellation, timeout)).rejects.toThrow(CancelledError);
  release();
  cancellation.cancel('client gone');
  await canceled;
  expect(shares.inUse('write')).toBe(0);
});
