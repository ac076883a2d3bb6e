import type { Credentials, LoginClient } from './loginClient.ts';

/** Quartiles in milliseconds. */
interface Quartiles {
  readonly lower: number;
  readonly median: number;
  readonly upper: number;
}

/** Times of refused logins. They must not reveal whether an account exists. */
export interface LoginTimes {
  /** Attempts of each kind. */
  readonly tries: number;
  readonly known: Quartiles;
  readonly unknown: Quartiles;
  /** Ratio of the medians, unknown to known. */
  readonly ratio: number;
  /**
   * Result of a permutation test: the share of random splits of the same times whose medians differ at least as much.
   * Below 0.01, the difference is significant.
   */
  readonly p: number;
}

const warmUp = 20;
const permutations = 5000;

/** Tries wrong passwords one after the other, at known and unknown accounts in random order. */
export async function measureLoginTimes(
  client: LoginClient,
  emails: readonly string[],
  tries: number,
): Promise<LoginTimes> {
  const wrong = (email: string): Credentials => ({ email, password: 'not the password of any account' });
  const known = Array.from({ length: tries }, (_, index) => wrong(emails[index % emails.length] as string));
  // Addresses of equal length, so that only the existence of the account differs.
  const unknown = known.map(({ email }) => wrong(email.replace('bench', 'hcneb')));
  for (const one of [...known.slice(0, warmUp), ...unknown.slice(0, warmUp)]) await client.logIn(one);
  const times = new Map<Credentials, number>();
  for (const one of shuffle([...known, ...unknown])) {
    const { status, milliseconds } = await client.logIn(one);
    if (status !== 401) throw new Error(`A wrong password got status ${status} instead of 401.`);
    times.set(one, milliseconds);
  }
  const timesOf = (all: readonly Credentials[]) => all.map((one) => times.get(one) as number);
  const [ofKnown, ofUnknown] = [quartiles(timesOf(known)), quartiles(timesOf(unknown))];
  return {
    tries,
    known: ofKnown,
    unknown: ofUnknown,
    ratio: ofUnknown.median / ofKnown.median,
    p: permutationTest(timesOf(known), timesOf(unknown)),
  };
}

function permutationTest(a: readonly number[], b: readonly number[]): number {
  const distance = (x: readonly number[], y: readonly number[]) => Math.abs(quartiles(x).median - quartiles(y).median);
  const observed = distance(a, b);
  const all = [...a, ...b];
  let atLeastAsFar = 0;
  for (let deal = 0; deal < permutations; deal++) {
    shuffle(all);
    if (distance(all.slice(0, a.length), all.slice(a.length)) >= observed) atLeastAsFar++;
  }
  return (atLeastAsFar + 1) / (permutations + 1);
}

function quartiles(values: readonly number[]): Quartiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => {
    const place = (sorted.length - 1) * share;
    const [below, above] = [sorted[Math.floor(place)] as number, sorted[Math.ceil(place)] as number];
    return below + (above - below) * (place % 1);
  };
  return { lower: at(0.25), median: at(0.5), upper: at(0.75) };
}

/** Shuffles in place. */
function shuffle<T>(values: T[]): T[] {
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [values[last], values[other]] = [values[other] as T, values[last] as T];
  }
  return values;
}
