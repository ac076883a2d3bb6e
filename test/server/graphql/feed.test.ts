import { Feed, type LiveEvent } from '../../../server/graphql/live/feed.ts';

const open = (check: () => Promise<void> = async () => {}) => new Feed('todos', check, () => {});

/** The events that leave at once, if the client takes each one. */
async function drain(feed: Feed): Promise<LiveEvent[]> {
  feed.push('INSERT', 'the last');
  const events: LiveEvent[] = [];
  for await (const event of feed) {
    if (event.id === 'the last') return events;
    events.push(event);
    if (event.event === 'RESYNC') feed.push('INSERT', 'the last');
    feed.sent();
  }
  return events;
}

const names = (events: readonly LiveEvent[]) => events.map(({ event, id }) => `${event} ${id}`);

test('events leave in order, one at a time', async () => {
  const feed = open();
  feed.push('INSERT', 'a');
  feed.push('DELETE', 'b');
  expect((await feed.next()).value).toEqual({ event: 'INSERT', id: 'a', read: 'a' });
  let left = false;
  const second = feed.next().then(({ value }) => {
    left = true;
    return value;
  });
  await new Promise(setImmediate);
  expect(left).toBe(false);
  feed.sent();
  expect(await second).toEqual({ event: 'DELETE', id: 'b', read: null });
});

test('what a slow client does not take becomes one RESYNC, and what comes before that leaves is part of it', async () => {
  const feed = open();
  for (let n = 0; n < 100; n++) feed.push('INSERT', `${n}`);
  expect(await drain(feed)).toEqual([{ event: 'RESYNC', id: null, read: null }]);
  const busy = open();
  for (let n = 0; n < 5000; n++) busy.push('INSERT', `${n}`);
  expect(names(await drain(busy))).toEqual(['RESYNC null']);
});

test('changes of a row with a waiting event are one event', async () => {
  const feed = open();
  for (let n = 0; n < 500; n++) feed.push('UPDATE', 'a');
  feed.push('INSERT', 'b');
  feed.push('UPDATE', 'b');
  feed.push('INSERT', 'c');
  feed.push('DELETE', 'c');
  expect(names(await drain(feed))).toEqual(['UPDATE a', 'INSERT b', 'DELETE c']);
});

test('an event that reads no row leaves only while the session lives', async () => {
  let checks = 0;
  const feed = open(async () => {
    checks++;
    throw new Error('the session has ended');
  });
  feed.push('DELETE', 'a');
  await expect(feed.next()).rejects.toThrow('the session has ended');
  expect(checks).toBe(1);
});

test('a returned feed ends, even while next is pending', async () => {
  const feed = open();
  const next = feed.next();
  await feed.return();
  expect(await next).toEqual({ done: true, value: undefined });
  feed.push('INSERT', 'a');
  expect((await feed.next()).done).toBe(true);
});

test('a held event leaves again, before later events', async () => {
  const feed = open();
  feed.push('INSERT', 'a');
  await feed.next();
  feed.push('UPDATE', 'a');
  feed.push('INSERT', 'b');
  feed.hold();
  feed.sent();
  expect(names(await drain(feed))).toEqual(['INSERT a', 'INSERT b']);
});

test('an event that is held is part of a deletion of its row, and of a RESYNC', async () => {
  const deleted = open();
  deleted.push('INSERT', 'a');
  await deleted.next();
  deleted.push('DELETE', 'a');
  deleted.hold();
  deleted.sent();
  expect(names(await drain(deleted))).toEqual(['DELETE a']);

  const missed = open();
  missed.push('INSERT', 'a');
  await missed.next();
  for (let n = 0; n < 100; n++) missed.push('INSERT', `${n}`);
  missed.hold();
  missed.sent();
  expect(names(await drain(missed))).toEqual(['RESYNC null']);
});
