import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Logger } from 'pino';
import { envelope } from './envelope.ts';
import type { Mailer } from './mailer.ts';
import type { Sender } from './settings.ts';

/** Writes messages to `directory` instead, a file each, and says in the log where: for development. */
export function folderMailer(directory: string, from: Sender, log: Logger): Mailer {
  const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  return {
    available: true,
    async send(mail) {
      const { message } = await composer.sendMail(envelope(mail, from));
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = join(directory, `${new Date().toISOString().replaceAll(':', '-')}-${randomUUID().slice(0, 8)}.eml`);
      // It has a token in it.
      await writeFile(file, message as Buffer, { flag: 'wx', mode: 0o600 });
      log.info({ file }, 'mail was written to a file');
    },
  };
}
