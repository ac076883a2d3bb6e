import { createHash } from 'node:crypto';

/** Computes the id of a trusted document: the SHA-256 of its text, in hexadecimal. */
export function documentId(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The folder of trusted documents is unusable. It is in this file, so that startup can catch it without loading GraphQL. */
export class DocumentsError extends Error {}
