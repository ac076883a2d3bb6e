import { operator, WeightedCache } from '../../../../server/graphql/documents/cache.ts';

const limits = { total: 100, tenant: 40 };
const cacheOf = (...entries: [key: string, owner: string | typeof operator, weight: number][]) => {
  const cache = new WeightedCache<string>(limits);
  for (const [key, owner, weight] of entries) cache.add(key, key, weight, owner);
  return cache;
};

test('the value that was not used for longest goes when a tenant has too much', () => {
  const cache = cacheOf(['a', 'ada', 15], ['b', 'ada', 15]);
  expect(cache.get('a')).toBe('a');
  cache.add('c', 'c', 15, 'ada');
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['a', undefined, 'c']);
  expect(cache.weight).toBe(30);
});

test('a tenant who brings much pushes out nothing of the others', () => {
  const cache = cacheOf(['bob', 'bob', 20], ['carol', 'carol', 10]);
  for (let n = 0; n < 1000; n++) cache.add(`a${n}`, 'x', 7, 'ada');
  expect([cache.get('bob'), cache.get('carol')]).toEqual(['bob', 'carol']);
  // Many tenants who bring little push out what the one with most has.
  for (let n = 0; n < 12; n++) cache.add(`t${n}`, 'x', 5, `tenant ${n}`);
  expect(cache.get('carol')).toBe('carol');
  expect(cache.weight).toBeLessThanOrEqual(limits.total);
});

test('documents of the operator stay, and count', () => {
  const cache = cacheOf(['trusted', operator, 60]);
  for (let n = 0; n < 100; n++) cache.add(`a${n}`, 'x', 9, `tenant ${n}`);
  expect(cache.get('trusted')).toBe('trusted');
  expect(cache.weight).toBeLessThanOrEqual(limits.total);
  cache.add('more', 'more', 50, operator);
  expect([cache.get('trusted'), cache.get('more')]).toEqual([undefined, 'more']);
});

test('a value that grows beyond the limits is not kept', () => {
  const cache = cacheOf(['a', 'ada', 10], ['b', 'ada', 10]);
  cache.grow('b', 35);
  expect([cache.get('a'), cache.get('b')]).toEqual([undefined, undefined]);
  cache.grow('b', 35);
  cache.delete('b');
  expect([cache.weight, cache.size]).toEqual([0, 0]);
  cache.add('a', 'a', 41, 'ada');
  expect(cache.get('a')).toBeUndefined();
});
