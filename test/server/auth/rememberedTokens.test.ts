import { RememberedTokens } from '../../../server/auth/tokens/remembered.ts';

const minute = 60_000;
const user = (expires = Date.now() + 60 * minute) => ({ expires }) as Express.User;

/** The remembered user of the token, `milliseconds` from now. */
function findLater(tokens: RememberedTokens, authorization: string, milliseconds: number): Express.User | undefined {
  const { now } = Date;
  Date.now = () => now() + milliseconds;
  try {
    return tokens.find(authorization);
  } finally {
    Date.now = now;
  }
}

test('a token is found by its full text until it expires, for at most ten minutes', () => {
  const tokens = new RememberedTokens();
  const [long, short] = [user(), user(Date.now() + minute)];
  tokens.remember('Bearer long', long);
  tokens.remember('Bearer short', short);
  expect([tokens.find('Bearer long'), tokens.find('Bearer short')]).toEqual([long, short]);
  for (const other of ['', 'Bearer', 'Bearer lon', 'Bearer long ', 'bearer long']) {
    expect(tokens.find(other)).toBeUndefined();
  }
  expect(findLater(tokens, 'Bearer short', minute + 1)).toBeUndefined();
  expect(findLater(tokens, 'Bearer long', 9 * minute)).toBe(long);
  expect(findLater(tokens, 'Bearer long', 10 * minute + 1)).toBeUndefined();
  // An expired entry is removed when it is found.
  expect(tokens.find('Bearer long')).toBeUndefined();
});

test('the cache keeps ten thousand tokens, and drops the oldest for the next', () => {
  const tokens = new RememberedTokens();
  for (let index = 0; index <= 10_000; index++) tokens.remember(`Bearer ${index}`, user());
  expect(tokens.find('Bearer 0')).toBeUndefined();
  expect(tokens.find('Bearer 1')).toBeDefined();
  expect(tokens.find('Bearer 10000')).toBeDefined();
});

test('the cache keeps ten million characters of tokens', () => {
  const tokens = new RememberedTokens();
  const long = (index: number) => `${index}`.padEnd(8000, 'x');
  for (let index = 0; index <= 1250; index++) tokens.remember(long(index), user());
  expect(tokens.find(long(0))).toBeUndefined();
  expect(tokens.find(long(1))).toBeDefined();
  // The same again takes no more room.
  for (let times = 0; times < 2000; times++) tokens.remember(long(1250), user());
  expect(tokens.find(long(1))).toBeDefined();
});
