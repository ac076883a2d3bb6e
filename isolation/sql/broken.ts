import type { Control } from '../controls.ts';
import type { Answer } from './attack.ts';

/** Errors that A itself gets, by SQLSTATE, and by their message where the SQLSTATE is an everyday one. */
export type Broken = ReadonlySet<string>;

/** The errors of the controls that do not work. */
export function brokenBy(controls: readonly Control[]): Broken {
  return new Set(controls.flatMap(({ error, reason }) => (error && !reason ? [keyOf(error)] : [])));
}

/** Whether an error is one that A gets, too. It depends on rows and on no tenant, so that it tells nobody of A. */
export function isBroken(broken: Broken, { code, message = '' }: Answer): boolean {
  return code !== undefined && broken.has(keyOf({ code, message }));
}

/** Policies answer 42501 to whom they refuse: there only the message tells one reason from another. */
function keyOf({ code, message }: { code: string; message: string }): string {
  return code === '42501' ? `${code} ${message}` : code;
}
