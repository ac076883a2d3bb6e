import { createHash } from 'node:crypto';

/** The id of a trusted document: SHA-256 of its text, in hexadecimal. */
export function documentId(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The folder of trusted documents cannot be used. Here, so that the start can name it without loading GraphQL. */
export class DocumentsError extends Error {}
