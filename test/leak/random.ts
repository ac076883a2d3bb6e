/** Returns pseudorandom numbers from 0 to 1. The sequence depends on the seed only. */
export type Random = () => number;

/** Creates a mulberry32 generator, which is good enough to mix requests. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function between(random: Random, from: number, to: number): number {
  return from + random() * (to - from);
}

/** Picks an element of `list`, which must not be empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** Picks an element with a probability proportional to its weight. */
export function weighted<T>(random: Random, list: readonly (readonly [number, T])[]): T {
  let left = random() * list.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, value] of list) {
    left -= weight;
    if (left < 0) return value;
  }
  return (list.at(-1) as readonly [number, T])[1];
}

/** Returns a shuffled copy of `list`. */
function shuffled<T>(random: Random, list: readonly T[]): T[] {
  return list
    .map((value) => [random(), value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}

/** Yields the elements of `list` in random order forever. Each comes once before any comes again. */
export function* shuffleForever<T>(random: Random, list: readonly T[]): Generator<T, never> {
  for (;;) yield* shuffled(random, list);
}

/** Creates a UUID from the generator, so that a repeated run has the same ids. */
export function uuidFrom(random: Random): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}
