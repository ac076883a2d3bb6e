import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeError } from 'postgraphile/grafast';
import { DocumentsError, documentId } from './documentId.ts';

/**
 * Reads the `<id>.graphql` files of a folder at startup. Requests read no files.
 *
 * @throws DocumentsError when the folder does not exist, or the name of a file is not the hash of its text.
 */
export async function readDocuments(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder).catch(() => {
    throw new DocumentsError(`PERSISTED_DOCUMENTS: there is no folder ${folder}`);
  });
  const documents = new Map<string, string>();
  for (const name of names.filter((file) => file.endsWith('.graphql'))) {
    const text = await readFile(join(folder, name), 'utf8');
    const id = documentId(text);
    if (name !== `${id}.graphql`)
      throw new DocumentsError(`PERSISTED_DOCUMENTS: ${name} was changed after it was named`);
    documents.set(id, text);
  }
  return documents;
}

/** Runs documents by their `documentId`. With `only`, it refuses all other documents. */
export function trustedDocumentsPlugin(documents: ReadonlyMap<string, string>, only: boolean): GraphileConfig.Plugin {
  return {
    name: 'TrustedDocumentsPlugin',
    version: '1.0.0',
    grafserv: {
      middleware: {
        processGraphQLRequestBody(next, { body }) {
          if (body.documentId == null && !only) return next();
          const text = documents.get(body.documentId as string);
          if (text === undefined) {
            throw new SafeError('documentId must name a document that this server knows', {
              statusCode: 400,
              code: 'BAD_USER_INPUT',
              field: 'documentId',
            });
          }
          body.query = text;
          return next();
        },
      },
    },
  };
}
