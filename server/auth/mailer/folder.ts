import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { envelope } from './envelope.ts';
import type { Sender } from './settings.ts';
import type { MailTransport } from './transport.ts';

/** Returns a transport for development. It writes each message to a file in `directory`, and logs the file's path. */
export function folderTransport(directory: string, from: Sender, log: Logger): MailTransport {
  return {
    available: true,
    async send(mail) {
      // The import waits for the first message, because nodemailer is a twelfth of the code that a server loads at start.
      const { createTransport } = await import('nodemailer');
      const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
      const { message } = await composer.sendMail(envelope(mail, from));
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = join(directory, `${new Date().toISOString().replaceAll(':', '-')}-${randomUUID().slice(0, 8)}.eml`);
      // The message contains a token, so only the owner of the file may read it.
      await writeFile(file, message as Buffer, { flag: 'wx', mode: 0o600 });
      log.info({ file }, 'mail was written to a file');
    },
  };
}
