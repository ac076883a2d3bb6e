import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/**
 * What is counted as one address: an IPv4 address by itself, IPv6 by its /64, of which every home has one to choose
 * from at will. IPv4 in IPv6's clothes (`::ffff:192.0.2.1`) is IPv4. What is no address counts together.
 */
export function networkOf(address = ''): string {
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return 'unknown';
  const { address: shortest } = new SocketAddress({ address, family: 'ipv6' });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(shortest)?.[1];
  return mapped ?? `${groups(shortest).slice(0, 4).join(':')}::/64`;
}

/** The eight groups of an IPv6 address; `::` stands for as many zeros as are missing. */
function groups(address: string): string[] {
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const missing = Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(missing).fill('0'), ...after];
}
