import fc from 'fast-check';
import { Cancellation } from '../../../postgres/cancellation.ts';
import { Admission, type AdmissionLimits, RefusedError, type Turn } from '../../../server/tenancy/admission.ts';

const { jest } = import.meta;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const limits: AdmissionLimits = { total: 8, perTenant: 4, queue: 5, workUnderWay: 40, holdBudget: 2500 };

/** A request that runs until its turn is ended. */
function enter(admission: Admission, tenant: string, cancellation = new Cancellation()) {
  const request: { turn?: Turn; error?: unknown } = {};
  admission.enter(tenant, { cancellation }).then(
    (turn) => {
      request.turn = turn;
    },
    (error) => {
      request.error = error;
    },
  );
  return request;
}

const enterTimes = (count: number, admission: Admission, tenant: string) =>
  Array.from({ length: count }, () => enter(admission, tenant));

const settled = async () => {
  for (let round = 0; round < 20; round++) await Promise.resolve();
};

/** Resolves once what was put off to the next iteration of the event loop has begun. */
async function nextIteration(): Promise<void> {
  await jest.advanceTimersToNextTimerAsync();
  await settled();
}

const running = (requests: readonly { turn?: Turn }[]) => requests.filter(({ turn }) => turn).length;

/** Ends every request of `milliseconds` that `tenant` is admitted to, one after the other. */
async function work(admission: Admission, tenant: string, count: number, milliseconds: number) {
  for (let done = 0; done < count; done++) {
    const turn = await admission.enter(tenant, { cancellation: new Cancellation() });
    jest.advanceTimersByTime(milliseconds);
    turn.queried();
    turn.end();
  }
}

describe('the limits of a tenant', () => {
  test('a tenant runs no more requests at a time than it may, and the next one starts when one ends', async () => {
    const admission = new Admission(limits);
    const requests = enterTimes(6, admission, 'a');
    await settled();
    expect(running(requests)).toBe(4);
    requests[0]?.turn?.end();
    await settled();
    expect(running(requests)).toBe(5);
    expect(requests[5]?.turn).toBeUndefined();
  });

  test('a request is refused when the queue of its tenant is full, and another tenant is not', async () => {
    const admission = new Admission(limits);
    const requests = enterTimes(4 + 5 + 1, admission, 'a');
    const other = enter(admission, 'b');
    await settled();
    expect(requests[9]?.error).toBeInstanceOf(RefusedError);
    expect(admission.counts.refused).toEqual({ 'queue full': 1, deadline: 0 });
    expect(other.turn).toBeDefined();
  });

  test('work that is always admitted waits behind a full queue', async () => {
    const admission = new Admission(limits);
    const requests = enterTimes(4 + 5, admission, 'a');
    let ran = false;
    const always = admission.run('a', { cancellation: new Cancellation(), always: true }, () => {
      ran = true;
    });
    await settled();
    expect(ran).toBe(false);
    for (const request of requests) {
      request.turn?.end();
      await settled();
    }
    await always;
    expect(ran).toBe(true);
  });

  test('a request that waits past its deadline is refused and leaves the queue', async () => {
    const admission = new Admission(limits);
    const requests = enterTimes(4, admission, 'a');
    const cancellation = new Cancellation();
    const late = enter(admission, 'a', cancellation);
    await settled();
    cancellation.cancel('deadline');
    await settled();
    expect(late.error).toMatchObject({ reason: 'deadline' });
    expect(admission.load).toEqual({ running: 4, waiting: 0, tenants: 1 });
    for (const { turn } of requests) turn?.end();
    expect(admission.load).toEqual({ running: 0, waiting: 0, tenants: 0 });
  });

  test('a client that leaves while it waits takes no place', async () => {
    const admission = new Admission(limits);
    const [first] = enterTimes(4, admission, 'a');
    const cancellation = new Cancellation();
    const gone = enter(admission, 'a', cancellation);
    const next = enter(admission, 'a');
    await settled();
    cancellation.cancel('client gone');
    first?.turn?.end();
    await settled();
    expect(gone.turn).toBeUndefined();
    expect(next.turn).toBeDefined();
    expect(admission.load).toEqual({ running: 4, waiting: 0, tenants: 1 });
  });

  test('an answer that is being sent holds a place of its tenant and none of the server', async () => {
    const admission = new Admission({ ...limits, total: 4, perTenant: 4, queue: 5 });
    const slowReaders = enterTimes(5, admission, 'a');
    await settled();
    for (const { turn } of slowReaders) turn?.sending();
    const other = enter(admission, 'b');
    await settled();
    expect(other.turn).toBeDefined();
    expect(running(slowReaders)).toBe(4);
    slowReaders[0]?.turn?.end();
    slowReaders[0]?.turn?.end();
    await settled();
    expect(running(slowReaders)).toBe(5);
  });
});

describe('turns between tenants', () => {
  test('tenants that wait take turns, however many requests each has', async () => {
    const admission = new Admission({ ...limits, total: 1, perTenant: 1, queue: 10 });
    const order: string[] = [];
    const requests = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map((tenant) =>
      admission.run(tenant, { cancellation: new Cancellation() }, () => {
        order.push(tenant);
      }),
    );
    await Promise.all(requests);
    expect(order.join('')).toBe('abcabaa');
  });

  test('a tenant with slow requests runs two at a time beside a tenant with quick ones', async () => {
    const admission = new Admission({ ...limits, total: 20, perTenant: 10, queue: 20 });
    await work(admission, 'quick', 5, 2);
    await work(admission, 'slow', 5, 300);
    jest.advanceTimersByTime(2000);
    const slow = enterTimes(10, admission, 'slow');
    const quick = enterTimes(10, admission, 'quick');
    await settled();
    expect(running(slow)).toBe(2);
    expect(running(quick)).toBe(10);
  });

  test('requests that run for long count before they end', async () => {
    const admission = new Admission({ ...limits, total: 20, perTenant: 10, queue: 20 });
    await work(admission, 'other', 1, 1);
    await work(admission, 'a', 30, 1);
    const first = enterTimes(3, admission, 'a');
    jest.advanceTimersByTime(500);
    await work(admission, 'other', 1, 1);
    const more = enterTimes(7, admission, 'a');
    await settled();
    expect([running(first), running(more)]).toEqual([3, 0]);
  });

  test('requests without a statement do not make the requests of others slow', async () => {
    const admission = new Admission({ ...limits, total: 20, perTenant: 10, queue: 20 });
    await work(admission, 'a', 5, 60);
    for (let request = 0; request < 20; request++) admission.tryEnter('b')?.end();
    jest.advanceTimersByTime(2000);
    const requests = enterTimes(10, admission, 'a');
    await nextIteration();
    expect(running(requests)).toBe(10);
  });

  test('writes that wait for their commit run side by side', async () => {
    const admission = new Admission({ ...limits, total: 20, perTenant: 10, queue: 20 });
    await work(admission, 'other', 1, 1);
    for (let write = 0; write < 10; write++) {
      const turn = await admission.enter('a', { cancellation: new Cancellation() });
      turn.writes();
      turn.charge(1);
      jest.advanceTimersByTime(300);
      turn.end();
    }
    await work(admission, 'other', 1, 1);
    const requests = enterTimes(10, admission, 'a');
    await nextIteration();
    expect(running(requests)).toBe(10);
  });

  test('tenants that hold many places leave some for a tenant that has none', async () => {
    const admission = new Admission({ ...limits, total: 8, perTenant: 4, queue: 10 });
    const greedy = ['a', 'b'].flatMap((tenant) => enterTimes(8, admission, tenant));
    await settled();
    expect(running(greedy)).toBe(6);
    const newcomers = ['c', 'd', 'e'].map((tenant) => enter(admission, tenant));
    await settled();
    expect(running(newcomers)).toBe(2);
    greedy.find(({ turn }) => turn)?.turn?.end();
    await settled();
    expect([running(greedy), running(newcomers)]).toEqual([6, 3]);
  });

  test('a network that makes all requests slow takes no concurrency from anybody', async () => {
    const admission = new Admission({ ...limits, total: 20, perTenant: 10, queue: 20 });
    await work(admission, 'a', 5, 60);
    await work(admission, 'b', 5, 62);
    jest.advanceTimersByTime(2000);
    const requests = enterTimes(10, admission, 'b');
    await settled();
    expect(running(requests)).toBe(10);
  });

  test('a tenant that has the server to itself runs slow requests side by side', async () => {
    const admission = new Admission({ ...limits, total: 20, perTenant: 10, queue: 20 });
    await work(admission, 'slow', 5, 300);
    const slow = enterTimes(12, admission, 'slow');
    await settled();
    expect(running(slow)).toBe(10);
  });
});

describe('holding the event loop', () => {
  test('a tenant that has held the event loop for long pauses, and others do not', async () => {
    const admission = new Admission(limits);
    enter(admission, 'other').turn?.end();
    const [first] = enterTimes(1, admission, 'a');
    await settled();
    first?.turn?.charge(100);
    first?.turn?.end();
    const next = enter(admission, 'a');
    const other = enter(admission, 'other');
    await nextIteration();
    expect(other.turn).toBeDefined();
    expect(next.turn).toBeUndefined();
    await jest.advanceTimersByTimeAsync(100 ** 2 - 2500 + 10);
    expect(next.turn).toBeDefined();
    expect(admission.counts.pauses).toBe(1);
  });

  test('a pause ends after two seconds', async () => {
    const admission = new Admission(limits);
    const turn = admission.tryEnter('a');
    for (let hold = 0; hold < 100; hold++) turn?.charge(1000);
    turn?.end();
    enter(admission, 'other').turn?.end();
    const next = enter(admission, 'a');
    await settled();
    expect(next.turn).toBeUndefined();
    await jest.advanceTimersByTimeAsync(2010);
    expect(next.turn).toBeDefined();
  });

  test('many short holds cost nothing', async () => {
    const admission = new Admission(limits);
    enter(admission, 'other').turn?.end();
    for (let request = 0; request < 1000; request++) {
      const turn = admission.tryEnter('a');
      expect(turn).toBeDefined();
      turn?.charge(3);
      turn?.end();
      jest.advanceTimersByTime(10);
    }
  });

  test('a tenant that has the server to itself does not pause', async () => {
    const admission = new Admission(limits);
    const turn = admission.tryEnter('a');
    turn?.charge(200);
    turn?.end();
    await nextIteration();
    expect(admission.tryEnter('a')).toBeDefined();
  });
});

describe('one iteration of the event loop', () => {
  /** An admission that knows that each request of `tenants` holds the event loop for `milliseconds`. */
  async function experienced(tenants: readonly string[], milliseconds: number): Promise<Admission> {
    const admission = new Admission(limits);
    for (const tenant of tenants) {
      const turn = admission.tryEnter(tenant);
      turn?.charge(milliseconds);
      turn?.end();
      await nextIteration();
    }
    return admission;
  }

  test('requests that hold the event loop for long begin one after the other', async () => {
    const admission = await experienced(['a', 'b', 'c'], 20);
    const requests = ['a', 'b', 'c'].map((tenant) => enter(admission, tenant));
    await settled();
    expect(running(requests)).toBe(1);
    await nextIteration();
    expect(running(requests)).toBe(2);
    await nextIteration();
    expect(running(requests)).toBe(3);
  });

  test('quick requests begin together', async () => {
    const admission = await experienced(['a', 'b'], 1);
    const requests = [...enterTimes(3, admission, 'a'), ...enterTimes(3, admission, 'b')];
    await settled();
    expect(running(requests)).toBe(6);
  });

  test('work that was not expected keeps further requests for the next iteration', async () => {
    const admission = new Admission(limits);
    admission.tryEnter('a')?.charge(20);
    const next = enter(admission, 'b');
    await settled();
    expect(next.turn).toBeUndefined();
    await nextIteration();
    expect(next.turn).toBeDefined();
  });

  test('a tenant that holds the event loop little begins before those that hold it for long', async () => {
    const tenants = ['a', 'b', 'c', 'd'];
    const admission = await experienced(tenants, 20);
    const heavy = tenants.map((tenant) => enter(admission, tenant));
    const light = enter(admission, 'light');
    await nextIteration();
    expect(light.turn).toBeDefined();
    expect(running(heavy)).toBeLessThan(tenants.length);
  });
});

test('no sequence of requests, ends and departures loses a place or exceeds a limit', async () => {
  const tenant = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    fc.record({ what: fc.constant('enter' as const), tenant }),
    fc.record({ what: fc.constantFrom('send' as const, 'end' as const, 'leave' as const), pick: fc.nat(100) }),
    fc.record({ what: fc.constant('charge' as const), pick: fc.nat(100), milliseconds: fc.nat(150) }),
    fc.record({ what: fc.constant('pass' as const), milliseconds: fc.nat(500) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
      const admission = new Admission({ ...limits, total: 4, perTenant: 3, queue: 3 });
      const open: { tenant: string; cancellation: Cancellation; request: { turn?: Turn; error?: unknown } }[] = [];
      const picked = (pick: number) => open[pick % Math.max(1, open.length)];
      for (const action of steps) {
        if (action.what === 'enter') {
          const cancellation = new Cancellation();
          open.push({ tenant: action.tenant, cancellation, request: enter(admission, action.tenant, cancellation) });
        } else if (action.what === 'pass') await jest.advanceTimersByTimeAsync(action.milliseconds);
        else if (action.what === 'send') picked(action.pick)?.request.turn?.sending();
        else if (action.what === 'end') picked(action.pick)?.request.turn?.end();
        else if (action.what === 'leave') picked(action.pick)?.cancellation.cancel('client gone');
        else if (action.what === 'charge') picked(action.pick)?.request.turn?.charge(action.milliseconds);
        await settled();
        expect(admission.load.running).toBeLessThanOrEqual(4);
        expect(admission.load.running).toBeGreaterThanOrEqual(0);
      }
      // Requests that still wait are admitted once the others have ended.
      for (let round = 0; round < 300 && admission.load.tenants > 0; round++) {
        for (const { request } of open) request.turn?.end();
        await jest.advanceTimersByTimeAsync(10_000);
        await settled();
      }
      expect(admission.load).toEqual({ running: 0, waiting: 0, tenants: 0 });
      for (const { request } of open) expect(request.turn ?? request.error).toBeDefined();
    }),
    { numRuns: 200 },
  );
});
