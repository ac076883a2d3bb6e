import { z } from 'zod';
import { parseJson } from '../../../common/parseJson.ts';

// Not z.uuid(), because Postgres accepts more UUIDs.
const id = z.string();
// Null means that there were too many ids for one notification.
const ids = z.array(id).nullable();

/** The notifications that triggers such as app_private.notify_changes() send. */
const notification = z.union([
  z.object({ table: z.string(), event: z.enum(['INSERT', 'UPDATE', 'DELETE']), user: id, ids }),
  z.object({ sessions: ids }),
  z.object({ users: ids }),
]);

type Notification = z.infer<typeof notification>;

/** Parses a notification; `undefined` for other payloads, because any database connection may send notifications. */
export function readNotification(payload: string): Notification | undefined {
  return notification.safeParse(parseJson(payload)).data;
}
