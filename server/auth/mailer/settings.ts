import { isIPv4 } from 'node:net';
import { z } from 'zod';

/** The sender of all mail. */
export interface Sender {
  readonly name: string;
  readonly address: string;
}

/** The transport and the content of mail. */
export interface MailSettings {
  /** The URL of the mail server, smtp:// or smtps://. */
  readonly smtpUrl?: string | undefined;
  readonly from: Sender;
  /** The URL of the app that resets passwords and verifies addresses. Without it, mail contains the token instead of a link. */
  readonly appUrl?: string | undefined;
  /** The folder that receives mail when there is no mail server, outside production. */
  readonly directory?: string | undefined;
}

/** Whether `host` names this machine and nothing else. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}

/** The value of SMTP_URL. */
export const smtpUrl = z.string().refine((value) => {
  if (!/^smtps?:\/\//.test(value) || !URL.canParse(value)) return false;
  const { hostname, pathname, hash, searchParams, username, password } = new URL(value);
  const known = [...searchParams].every(([name, on]) => name === 'requireTLS' && ['true', 'false'].includes(on));
  return hostname !== '' && ['', '/'].includes(pathname) && hash === '' && known && isEncoded(username + password);
}, 'is not an address such as smtp://user:password@mail.example.com:587, with requireTLS=true or false as its only option');

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The value of MAIL_FROM: an address, or a name and an address in angle brackets. */
export const mailFrom = z.string().transform((value, context): Sender => {
  const [, name = '', address = ''] = /^(?:([^<>"\p{Cc}]*)<)?([^<>]*)>?$/u.exec(value.trim()) ?? [];
  const closed = value.includes('<') === value.includes('>');
  if (!closed || !z.regexes.html5Email.test(address)) {
    context.addIssue('is not an address such as Hedgerow <no-reply@example.com>');
  }
  return { name: name.trim(), address };
});

/** The value of APP_URL, without trailing slashes. */
export const appUrl = z
  .string()
  .refine((value) => {
    if (!URL.canParse(value)) return false;
    const { protocol, hostname, username, password, search, hash } = new URL(value);
    const safe = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
    return safe && `${username}${password}${search}${hash}` === '' && !/[?#\s]/.test(value);
  }, 'is not an address such as https://app.example.com; http is for this machine alone')
  .transform((value) => value.replace(/\/+$/, ''));
