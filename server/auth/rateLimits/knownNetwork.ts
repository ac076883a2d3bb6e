import type { Counters } from './inKeyOrder.ts';
import { networkOf } from './network.ts';

/**
 * Whether somebody has signed in to the account of `email` from the network of `address`, as far as its sessions tell: a
 * session is kept until 30 days have passed and its user signs in again. The same query runs for accounts that do not
 * exist, so that its time tells nothing.
 *
 * @param client as sign-in.
 */
export async function isKnownNetwork(client: Counters, email: string, address: string | undefined): Promise<boolean> {
  const network = networkOf(address);
  if (network === 'unknown') return false;
  // A server that listens on IPv6 sees IPv4 clients as ::ffff:192.0.2.1, and has stored them so.
  const networks = network.includes(':') ? [network] : [network, `::ffff:${network}`];
  const { rows } = await client.query<{ known: boolean }>({
    name: 'known_network',
    text: `select exists (
        select from app_private.sessions s join app_public.users u on u.id = s.user_id
        where u.email = $1 and s.address <<= any ($2::inet[])
      ) as known`,
    values: [email, networks],
  });
  return rows[0]?.known ?? false;
}
