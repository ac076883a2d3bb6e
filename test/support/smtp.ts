import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A message that the mail server received. */
interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  /** The headers, up to the first empty line, and the decoded text below them. */
  readonly head: string;
  readonly text: string;
}

/** A local mail server that keeps received messages. */
export interface MailServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Waits for a message to the address that no earlier call has returned. */
  mailTo(address: string): Promise<ReceivedMail>;
  close(): Promise<void>;
}

/** Starts a mail server, without TLS by default. */
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

/** Splits a message into its headers and its text, and decodes quoted-printable text. */
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

/** Finds the token in a message. @throws unless there is exactly one. */
export function tokenIn({ text }: { text: string }): string {
  const found = text.match(/(?<=^|token=)[\w-]{43,64}$/gm) ?? [];
  if (found.length !== 1) throw new Error(`Expected one token, found ${found.length}:\n${text}`);
  return found[0] as string;
}
