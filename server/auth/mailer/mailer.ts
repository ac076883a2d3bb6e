import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { folderTransport } from './folder.ts';
import type { MailSettings } from './settings.ts';
import { smtpTransport } from './smtp.ts';
import { type Mail, type MailTransport, noTransport } from './transport.ts';

/** Messages that are composed and sent at the same time. */
const concurrency = 4;
/** Messages that may wait. The mailer drops further ones. */
const maxWaiting = 1000;
/** Milliseconds that messages in progress get when the server stops. */
const closeTimeout = 1000;

/** Sends mail in the background, so that neither responses nor their timing reveal whether mail is sent. */
export interface Mailer {
  /** Whether a transport is configured. */
  readonly available: boolean;
  /** The URL of the app that links in mail open, without a trailing slash. */
  readonly appUrl: string | undefined;
  /** Queues a message. `compose` returns it, or `undefined` to send nothing. Failures go to the log. */
  post(compose: () => Promise<Mail | undefined>): void;
}

/**
 * Creates the mailer. A message waits in the queue, is composed and sent, and is then sent or logged as failed; it is
 * never retried. `close` drops waiting messages, aborts messages in progress after one second, and then resolves.
 */
export function createMailer(settings: MailSettings, log: Logger): Mailer & { close(): Promise<void> } {
  const transport = chooseTransport(settings, log);
  const limit = pLimit(concurrency);
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();

  const deliver = async (compose: () => Promise<Mail | undefined>) => {
    try {
      const mail = await compose();
      if (mail) await transport.send(mail, stopping.signal);
    } catch (err) {
      log.error({ err }, 'mail was not sent');
    }
  };

  return {
    available: transport.available,
    appUrl: settings.appUrl,
    post(compose) {
      if (limit.pendingCount >= maxWaiting) {
        log.warn('mail was not sent: too many messages are waiting');
        return;
      }
      void limit(() => {
        const delivery = deliver(compose).finally(() => running.delete(delivery));
        running.add(delivery);
        return delivery;
      });
    },
    async close() {
      if (limit.pendingCount > 0)
        log.warn({ messages: limit.pendingCount }, 'mail was not sent: the server is stopping');
      limit.clearQueue();
      const timeout = setTimeout(() => stopping.abort(), closeTimeout);
      await Promise.all(running);
      clearTimeout(timeout);
    },
  };
}

function chooseTransport({ smtpUrl, directory, from }: MailSettings, log: Logger): MailTransport {
  if (smtpUrl !== undefined) return smtpTransport(smtpUrl, from);
  if (directory !== undefined) return folderTransport(directory, from, log);
  log.warn('SMTP_URL is not set, so users cannot reset passwords or verify addresses. Set it to send mail.');
  return noTransport;
}
