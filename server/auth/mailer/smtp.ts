import { envelope } from './envelope.ts';
import { isLoopback, type Sender } from './settings.ts';
import type { MailTransport } from './transport.ts';

/** Milliseconds: a server that says nothing, and the whole of one message. */
const patience = { silent: 5000, whole: 10_000 };

/** Sends to the server that `url` names. Its certificate is verified; without TLS only to this machine, or if told so. */
export function smtpTransport(url: string, from: Sender): MailTransport {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const options = {
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port && { port: Number(port) }),
    ...(username && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    secure: protocol === 'smtps:',
    requireTLS: searchParams.has('requireTLS') ? searchParams.get('requireTLS') === 'true' : !isLoopback(hostname),
    connectionTimeout: patience.silent,
    greetingTimeout: patience.silent,
    dnsTimeout: patience.silent,
    socketTimeout: patience.silent,
    socketCloseTimeout: 0,
  };
  // Loaded with the first message: it is a twelfth of what a server loads to begin.
  const connect = async () => (await import('nodemailer')).createTransport(options);
  let transport: ReturnType<typeof connect> | undefined;
  return {
    available: true,
    async send(mail, signal) {
      const message = {
        ...envelope(mail, from),
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience.whole)]),
      };
      transport ??= connect();
      try {
        await (await transport).sendMail(message);
      } catch (error) {
        throw refusal(error);
      }
    },
  };
}

/** What went wrong by its codes alone: the server's words repeat the address, and may repeat more. */
function refusal(error: unknown): Error {
  const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number };
  const known = [code, command, responseCode].filter((part) => part !== undefined).join(', ');
  return Object.assign(new Error(`the mail server did not take a message: ${known}`), { code });
}
