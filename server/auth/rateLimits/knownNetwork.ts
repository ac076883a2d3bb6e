import type { CounterClient } from './inKeyOrder.ts';
import { networkOf } from './network.ts';

/**
 * Checks whether a session of the account of `email` began in the network of `address`. A session stays in the table until
 * it is 30 days old and its user signs in again. Unknown accounts run the same query, so that timing does not reveal them.
 *
 * @param client runs SQL as sign-in.
 */
export async function isKnownNetwork(
  client: CounterClient,
  email: string,
  address: string | undefined,
): Promise<boolean> {
  const network = networkOf(address);
  if (network === 'unknown') return false;
  // A server that listens on IPv6 stores IPv4 clients as ::ffff:192.0.2.1.
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
