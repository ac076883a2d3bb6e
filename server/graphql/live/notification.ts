import { z } from 'zod';
import { parseJson } from '../../../common/parseJson.ts';

// Not z.uuid(), because Postgres accepts more UUIDs.
const id = z.string();
// Null means that there were too many ids for one notification.
const ids = z.array(id).nullable();

const change = z.object({ table: z.string(), event: z.enum(['INSERT', 'UPDATE', 'DELETE']), ids });

/** The notifications that triggers such as app_private.notify_changes() send. */
const notification = z.union([
  change.extend({ user: id }),
  change.extend({ organization: id }),
  z.object({ sessions: ids }),
  // Before the last one, which would drop the organization.
  z.object({ formerMembersOf: id, users: ids }),
  z.object({ newRolesIn: id, users: ids }),
  z.object({ users: ids }),
]);

/** Changed rows of a user or an organization. */
export type Change = z.infer<typeof change>;

type Notification = z.infer<typeof notification>;

/** Parses a notification; `undefined` for other payloads, because any database connection may send notifications. */
export function readNotification(payload: string): Notification | undefined {
  return notification.safeParse(parseJson(payload)).data;
}
