import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/**
 * Returns the network that rate limits count as one address:
 *
 * - the address itself for IPv4, also if it is mapped into IPv6 (`::ffff:192.0.2.1`);
 * - the /64 prefix for IPv6, because every home has a whole /64 to choose addresses from;
 * - `unknown` for all values that are not an address.
 */
export function networkOf(address = ''): string {
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return 'unknown';
  const { address: shortest } = new SocketAddress({ address, family: 'ipv6' });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(shortest)?.[1];
  return mapped ?? `${groups(shortest).slice(0, 4).join(':')}::/64`;
}

/** Splits an IPv6 address into its eight groups. `::` expands to the missing zeros. */
function groups(address: string): string[] {
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const missing = Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(missing).fill('0'), ...after];
}
