import { z } from 'zod';
import { Problem } from './problem.ts';

const email = z
  .string({ error: 'email is needed' })
  .trim()
  .toLowerCase()
  .max(255, 'email must have at most 255 characters')
  .pipe(z.email({ pattern: z.regexes.html5Email, error: 'email must be an address such as name@example.com' }));

/** What a new account, or a new password, has to be. */
const newPassword = z
  .string({ error: 'password is needed' })
  .min(10, 'password must have 10 to 128 characters')
  .max(128, 'password must have 10 to 128 characters');

const username = z
  .string({ error: 'username is needed' })
  .regex(/^[A-Za-z0-9_-]{3,50}$/, 'username must have 3 to 50 of letters, digits, _ and -');

export const registration = z.object({ email, username, password: newPassword });

// A password that no account can have is simply wrong: its length is no news to give.
export const credentials = z.object({
  email: z.string({ error: 'email is needed' }).trim().toLowerCase().max(1000, 'email is too long'),
  password: z.string({ error: 'password is needed' }).max(1000, 'password is too long'),
});

/**
 * The body, if it has the shape that `schema` asks for.
 *
 * @throws Problem 400 that names every wrong field.
 */
export function checkBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw new Problem(400, 'Some of the input is not as it should be.', {
    errors: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
  });
}
