import type { SendMailOptions } from 'nodemailer';
import { z } from 'zod';
import type { Sender } from './settings.ts';
import type { Mail } from './transport.ts';

/**
 * A message as nodemailer takes it. Addresses go as objects, which it does not parse.
 *
 * @throws Error when `to` is anything but one address: what was stored may not have come through the API.
 */
export function envelope({ to, subject, text }: Mail, from: Sender): SendMailOptions {
  if (!z.regexes.html5Email.test(to)) throw new Error('this is no address that mail can be sent to');
  return {
    from: { ...from },
    to: { name: '', address: to },
    subject,
    text,
    // No answer from an absent person's mailbox is wanted.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
