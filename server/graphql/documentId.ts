import { createHash } from 'node:crypto';

/** What names a trusted document: SHA-256 of its text, in hexadecimal. */
export function documentId(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
