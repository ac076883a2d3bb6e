import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { folderTransport } from './folder.ts';
import type { MailSettings } from './settings.ts';
import { smtpTransport } from './smtp.ts';
import { type Mail, type MailTransport, noTransport } from './transport.ts';

/** Messages that are made and sent at once, and that may wait; milliseconds for those under way when the server stops. */
const most = { atOnce: 4, waiting: 1000, stopping: 1000 };

/** Sends mail in the background, so that neither responses nor their timing reveal whether mail is sent. */
export interface Mailer {
  /** Whether mail can be sent at all. */
  readonly available: boolean;
  /** Of the app that links lead to, without a slash at its end. */
  readonly appUrl: string | undefined;
  /** Finds out with `compose` what is to be sent, if anything, and sends it. Failures go to the log. */
  post(compose: () => Promise<Mail | undefined>): void;
}

/** `close` resolves once nothing is under way: what waits is dropped, what takes longer than a second given up. */
export function createMailer(settings: MailSettings, log: Logger): Mailer & { close(): Promise<void> } {
  const transport = chooseTransport(settings, log);
  const limit = pLimit(most.atOnce);
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
      if (limit.pendingCount >= most.waiting) {
        log.warn('mail was not sent: too much of it is waiting');
        return;
      }
      void limit(() => {
        const one = deliver(compose).finally(() => running.delete(one));
        running.add(one);
        return one;
      });
    },
    async close() {
      if (limit.pendingCount > 0) log.warn({ messages: limit.pendingCount }, 'mail was not sent: the server stops');
      limit.clearQueue();
      const giveUp = setTimeout(() => stopping.abort(), most.stopping);
      await Promise.all(running);
      clearTimeout(giveUp);
    },
  };
}

function chooseTransport({ smtpUrl, directory, from }: MailSettings, log: Logger): MailTransport {
  if (smtpUrl !== undefined) return smtpTransport(smtpUrl, from);
  if (directory !== undefined) return folderTransport(directory, from, log);
  log.warn('SMTP_URL is not set: passwords cannot be reset, and addresses not verified');
  return noTransport;
}
