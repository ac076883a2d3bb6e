import { z } from 'zod';

// Null in place of ids: there were too many for one notification.
const ids = z.array(z.uuid()).nullable();

/** What the triggers of app_private.notify_changes() and its like send. */
const notification = z.union([
  z.object({ table: z.string(), event: z.enum(['INSERT', 'UPDATE', 'DELETE']), user: z.uuid(), ids }),
  z.object({ sessions: ids }),
  z.object({ users: ids }),
]);

type Notification = z.infer<typeof notification>;

/** Undefined where it is none of ours: anybody who is connected to the database may notify. */
export function readNotification(payload: string): Notification | undefined {
  try {
    return notification.safeParse(JSON.parse(payload)).data;
  } catch {
    return undefined;
  }
}
