import { envelope } from './envelope.ts';
import { isLoopback, type Sender } from './settings.ts';
import type { MailTransport } from './transport.ts';

/** Milliseconds to wait for a server that does not respond. */
const idleTimeout = 5000;
/** Milliseconds that sending one message may take. */
const messageTimeout = 10_000;

/**
 * Returns a transport that sends to the server at `url`. It verifies the server's certificate. It sends without TLS only
 * to this machine, or if `url` has `requireTLS=false`.
 */
export function smtpTransport(url: string, from: Sender): MailTransport {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const options = {
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port && { port: Number(port) }),
    ...(username && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    secure: protocol === 'smtps:',
    requireTLS: searchParams.has('requireTLS') ? searchParams.get('requireTLS') === 'true' : !isLoopback(hostname),
    connectionTimeout: idleTimeout,
    greetingTimeout: idleTimeout,
    dnsTimeout: idleTimeout,
    socketTimeout: idleTimeout,
    socketCloseTimeout: 0,
  };
  // The import waits for the first message, because nodemailer is a twelfth of the code that a server loads at start.
  const connect = async () => (await import('nodemailer')).createTransport(options);
  let transport: ReturnType<typeof connect> | undefined;
  return {
    available: true,
    async send(mail, signal) {
      const message = {
        ...envelope(mail, from),
        signal: AbortSignal.any([signal, AbortSignal.timeout(messageTimeout)]),
      };
      transport ??= connect();
      try {
        await (await transport).sendMail(message);
      } catch (error) {
        throw withoutText(error);
      }
    },
  };
}

/** Returns an error with the codes of `error` only. The server's text contains the address and may contain more. */
function withoutText(error: unknown): Error {
  const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number };
  const known = [code, command, responseCode].filter((part) => part !== undefined).join(', ');
  return Object.assign(new Error(`the mail server did not accept a message: ${known}`), { code });
}
