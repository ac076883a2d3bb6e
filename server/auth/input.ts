import { z } from 'zod';
import { badInput } from '../http/problem.ts';

export const email = z
  .string({ error: 'email is needed' })
  .trim()
  .toLowerCase()
  .max(255, 'email must have at most 255 characters')
  .pipe(z.email({ pattern: z.regexes.html5Email, error: 'email must be an address such as name@example.com' }));

/** The rules for a password that a user chooses. `field` is its name in the body. */
export const newPassword = (field: 'password' | 'newPassword') =>
  z
    .string({ error: `${field} is needed` })
    .min(10, `${field} must have 10 to 128 characters`)
    .max(128, `${field} must have 10 to 128 characters`);

export const username = z
  .string({ error: 'username is needed' })
  .regex(/^[A-Za-z0-9_-]{3,50}$/, 'username must have 3 to 50 of letters, digits, _ and -');

export const registration = z.object({ email, username, password: newPassword('password') });

// The rules for new passwords do not apply: a password that breaks them is a wrong password, and gets that answer.
export const credentials = z.object({
  email: z
    .string({ error: 'email is needed' })
    .trim()
    .toLowerCase()
    .max(1000, 'email is too long')
    // The type text of Postgres cannot store NUL.
    .refine((email) => !email.includes('\0'), 'email must not contain a NUL character'),
  password: z.string({ error: 'password is needed' }).max(1000, 'password is too long'),
});

export const refreshing = z.object({
  refreshToken: z.string({ error: 'refreshToken is needed' }).max(1000, 'refreshToken is too long'),
});

export const passwordChange = z.object({
  currentPassword: z.string({ error: 'currentPassword is needed' }).max(1000, 'currentPassword is too long'),
  newPassword: newPassword('newPassword'),
});

// The password is optional, because an account of an external issuer has none.
export const confirmation = z.object({
  password: z.string({ error: 'password must be text' }).max(1000, 'password is too long').optional(),
});

/**
 * Returns the body after validation by `schema`.
 *
 * @throws Problem 400 that names every invalid field.
 */
export function checkBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw badInput(...parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })));
}
