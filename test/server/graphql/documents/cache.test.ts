import { operator, WeightedCache } from '../../../../server/graphql/documents/cache.ts';

const limits = { total: 100, tenant: 40, shared: 50 };
const cacheOf = (...entries: [key: string, owner: string | typeof operator, weight: number][]) => {
  const cache = new WeightedCache<string>(limits);
  for (const [key, owner, weight] of entries) cache.add(key, key, weight, owner);
  return cache;
};

test('the least recently used value is evicted when a tenant exceeds its limit', () => {
  const cache = cacheOf(['a', 'ada', 15], ['b', 'ada', 15]);
  expect(cache.get('a', 'ada')).toBe('a');
  cache.add('c', 'c', 15, 'ada');
  expect([cache.get('a', 'ada'), cache.get('b', 'ada'), cache.get('c', 'ada')]).toEqual(['a', undefined, 'c']);
  expect(cache.weight).toBe(30);
});

test('a tenant with many values evicts none of the others', () => {
  const cache = cacheOf(['bob', 'bob', 20], ['carol', 'carol', 10]);
  for (let n = 0; n < 1000; n++) cache.add(`a${n}`, 'x', 7, 'ada');
  expect([cache.get('bob', 'bob'), cache.get('carol', 'carol')]).toEqual(['bob', 'carol']);
  // Many tenants who bring little push out what the one with most has.
  for (let n = 0; n < 12; n++) cache.add(`t${n}`, 'x', 5, `tenant ${n}`);
  expect(cache.get('carol', 'carol')).toBe('carol');
  expect(cache.weight).toBeLessThanOrEqual(limits.total);
});

test('documents of the operator stay, and count toward the weight', () => {
  const cache = cacheOf(['trusted', operator, 60]);
  for (let n = 0; n < 100; n++) cache.add(`a${n}`, 'x', 9, `tenant ${n}`);
  expect(cache.get('trusted', 'ada')).toBe('trusted');
  expect(cache.weight).toBeLessThanOrEqual(limits.total);
  cache.add('more', 'more', 50, operator);
  expect([cache.get('trusted', 'ada'), cache.get('more', 'ada')]).toEqual([undefined, 'more']);
});

test('a value that grows beyond the limits is not kept', () => {
  const cache = cacheOf(['a', 'ada', 10], ['b', 'ada', 10]);
  cache.grow('b', 35);
  expect([cache.get('a', 'ada'), cache.get('b', 'ada')]).toEqual([undefined, undefined]);
  cache.grow('b', 35);
  cache.delete('b');
  expect([cache.weight, cache.size]).toEqual([0, 0]);
  cache.add('a', 'a', 41, 'ada');
  expect(cache.get('a', 'ada')).toBeUndefined();
});

test('a value that a second tenant uses stays when its first tenant adds more', () => {
  const cache = cacheOf(['app', 'mallory', 10], ['own', 'mallory', 10]);
  expect(cache.get('app', 'ada')).toBe('app');
  for (let n = 0; n < 100; n++) cache.add(`m${n}`, 'x', 10, 'mallory');
  expect([cache.get('app', 'ada'), cache.get('own', 'mallory')]).toEqual(['app', undefined]);
  // Nor do many tenants who fill the cache together push it out.
  for (let n = 0; n < 100; n++) cache.add(`t${n}`, 'x', 30, `tenant ${n}`);
  expect(cache.get('app', 'ada')).toBe('app');
  expect(cache.weight).toBeLessThanOrEqual(limits.total);
});

test('shared values are limited, and the least recently used one is evicted', () => {
  const cache = cacheOf();
  for (let n = 0; n < 10; n++) {
    cache.add(`s${n}`, 'x', 10, 'ada');
    cache.get(`s${n}`, 'bob');
    cache.get('s0', 'bob');
  }
  expect(cache.weight).toBe(limits.shared);
  expect([cache.get('s0', 'bob'), cache.get('s1', 'bob')]).toEqual(['x', undefined]);
});
