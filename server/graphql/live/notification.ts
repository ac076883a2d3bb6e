import { z } from 'zod';
import { parseJson } from '../../../common/parseJson.ts';

// Any UUID that Postgres takes, which are more than z.uuid() does. Null in place of ids: there were too many for one
// notification.
const id = z.string();
const ids = z.array(id).nullable();

/** What the triggers of app_private.notify_changes() and its like send. */
const notification = z.union([
  z.object({ table: z.string(), event: z.enum(['INSERT', 'UPDATE', 'DELETE']), user: id, ids }),
  z.object({ sessions: ids }),
  z.object({ users: ids }),
]);

type Notification = z.infer<typeof notification>;

/** Undefined where it is none of ours: anybody who is connected to the database may notify. */
export function readNotification(payload: string): Notification | undefined {
  return notification.safeParse(parseJson(payload)).data;
}
