import type { SendMailOptions } from 'nodemailer';
import { z } from 'zod';
import type { Sender } from './settings.ts';
import type { Mail } from './transport.ts';

/**
 * Converts a message to nodemailer's options. Addresses are objects, because nodemailer parses text.
 *
 * @throws Error when `to` is not exactly one address. A stored address may not have passed the validation of the API.
 */
export function envelope({ to, subject, text }: Mail, from: Sender): SendMailOptions {
  if (!z.regexes.html5Email.test(to)) throw new Error('the recipient is not a valid mail address');
  return {
    from: { ...from },
    to: { name: '', address: to },
    subject,
    text,
    // Asks mailboxes not to send automatic replies (RFC 3834).
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
