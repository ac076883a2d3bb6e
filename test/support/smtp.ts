import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A message as a mail server got it. */
interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  /** Lines above the first empty one, and those below, decoded. */
  readonly head: string;
  readonly text: string;
}

/** A mail server on this machine that keeps what it is given. */
export interface MailServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Waits for the next message to the address that no caller got before. */
  mailTo(address: string): Promise<ReceivedMail>;
  close(): Promise<void>;
}

/** Without TLS unless `options` say otherwise. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  const read = new Set<ReceivedMail>();
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    closeTimeout: 100,
    onData(stream, { envelope, secure }, done) {
      let raw = '';
      stream.setEncoding('utf8').on('data', (chunk) => {
        raw += chunk;
      });
      stream.on('end', () => {
        const { mailFrom, rcptTo } = envelope;
        const from = mailFrom === false ? '' : mailFrom.address;
        received.push({ ...parse(raw), from, to: rcptTo.map(({ address }) => address), secure });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    async mailTo(address) {
      for (;;) {
        const mail = received.find((one) => !read.has(one) && one.to.includes(address));
        if (mail) {
          read.add(mail);
          return mail;
        }
        await sleep(10);
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A message's head, and its text out of the quoted-printable that long lines are sent in. */
export function parse(raw: string): { head: string; text: string } {
  const lines = raw.replaceAll('\r\n', '\n');
  const end = lines.indexOf('\n\n');
  const [head, body] = [lines.slice(0, end), lines.slice(end + 2)];
  if (!/^content-transfer-encoding: quoted-printable$/im.test(head)) return { head, text: body };
  const text = body
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return { head, text };
}

/** The one token in a message. */
export function tokenIn({ text }: { text: string }): string {
  const found = text.match(/(?<=^|token=)[\w-]{43}$/gm) ?? [];
  if (found.length !== 1) throw new Error(`${found.length} tokens in:\n${text}`);
  return found[0] as string;
}
