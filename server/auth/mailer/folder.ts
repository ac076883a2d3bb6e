import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { envelope } from './envelope.ts';
import type { Sender } from './settings.ts';
import type { MailTransport } from './transport.ts';

/** Writes messages to `directory` instead, a file each, and says in the log where: for development. */
export function folderTransport(directory: string, from: Sender, log: Logger): MailTransport {
  return {
    available: true,
    async send(mail) {
      // Loaded only where there is a message: it is a twelfth of what a server loads to begin.
      const { createTransport } = await import('nodemailer');
      const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
      const { message } = await composer.sendMail(envelope(mail, from));
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = join(directory, `${new Date().toISOString().replaceAll(':', '-')}-${randomUUID().slice(0, 8)}.eml`);
      // It has a token in it.
      await writeFile(file, message as Buffer, { flag: 'wx', mode: 0o600 });
      log.info({ file }, 'mail was written to a file');
    },
  };
}
