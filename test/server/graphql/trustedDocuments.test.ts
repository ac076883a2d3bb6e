import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type supertest from 'supertest';
import { documentId } from '../../../server/graphql/documentId.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { requestTo } from '../../support/requestTo.ts';
import { serve, signUp, type Tenant } from '../../support/server.ts';

const documents = {
  list: 'query List($first: Int) { todos(first: $first) { totalCount } }',
  large: '{ lists(first: 1000) { nodes { todos(first: 1000) { nodes { title } } } } }',
};
const ids = { list: documentId(documents.list), large: documentId(documents.large) };
const secret = '{ currentUser { email } }';

let db: TestDatabase;
let root: string;
let folder: string;
beforeAll(async () => {
  db = await createTestDatabase();
  root = await mkdtemp(join(tmpdir(), 'hedgerow-documents-'));
  folder = join(root, 'documents');
  await mkdir(folder);
  for (const text of Object.values(documents)) await writeFile(join(folder, `${documentId(text)}.graphql`), text);
  await writeFile(join(folder, 'manifest.json'), '{}');
  // One step above the folder.
  await writeFile(join(root, `${documentId(secret)}.graphql`), secret);
});
afterAll(async () => {
  await db.drop();
  await rm(root, { recursive: true });
});

async function withServer(
  production: boolean,
  work: (send: (body: object) => supertest.Test, ada: Tenant) => Promise<void>,
) {
  const server = await serve(db, { production, persistedDocuments: folder });
  try {
    const ada = await signUp(server.app, production ? 'ada' : 'bob');
    await work((body) => requestTo(server.app).post('/graphql').auth(ada.token, { type: 'bearer' }).send(body), ada);
  } finally {
    await server.close();
  }
}

test('in production only the documents of the folder run, by their id', async () => {
  await withServer(true, async (send, ada) => {
    const known = { documentId: ids.list, variables: { first: 1 } };
    expect((await send(known)).body).toEqual({ data: { todos: { totalCount: 0 } } });
    // The server ignores a query that is sent beside the id.
    expect((await send({ ...known, query: secret })).body).toEqual({ data: { todos: { totalCount: 0 } } });
    const refusals = [
      await ada.graphql(documents.list),
      ...(await Promise.all(
        [
          documentId(secret),
          `../${documentId(secret)}`,
          `${folder}/${ids.list}`,
          `${ids.list}.graphql`,
          ids.list.toUpperCase(),
          '__proto__',
          '',
          '\0',
          [ids.list],
          { toString: ids.list },
          0,
        ].map((id) => send({ documentId: id, query: documents.list })),
      )),
      await send({ id: ids.list }),
      await send({ extensions: { persistedQuery: { version: 1, sha256Hash: documentId(secret) } }, query: secret }),
    ];
    for (const { status, body } of refusals) {
      expect(status).toBe(400);
      expect(body).toEqual({
        errors: [
          {
            message: 'documentId must name a document that this server knows',
            extensions: { code: 'BAD_USER_INPUT', field: 'documentId', statusCode: 400 },
          },
        ],
      });
    }
  });
});

test('the limits apply to trusted documents too', async () => {
  await withServer(false, async (send) => {
    expect((await send({ documentId: ids.large })).body.errors).toMatchObject([
      { message: 'cost 1102001 is more than 25000', extensions: { code: 'TOO_COMPLEX' } },
    ]);
    expect((await send({ documentId: ids.list, variables: { first: 1001 } })).body.errors).toMatchObject([
      { extensions: { code: 'TOO_COMPLEX' } },
    ]);
    // Outside production other documents run too.
    expect((await send({ query: documents.list })).body).toEqual({ data: { todos: { totalCount: 0 } } });
    expect((await send({ documentId: 'x', query: documents.list })).status).toBe(400);
  });
});

test('the server does not start with a document that was changed, or without the folder', async () => {
  const other = await mkdtemp(join(tmpdir(), 'hedgerow-documents-'));
  await writeFile(join(other, `${ids.list}.graphql`), `${documents.list} `);
  await expect(serve(db, { persistedDocuments: other })).rejects.toThrow(
    `PERSISTED_DOCUMENTS: ${ids.list}.graphql was changed after it was named`,
  );
  await rm(other, { recursive: true });
  await expect(serve(db, { persistedDocuments: other })).rejects.toThrow(`there is no folder ${other}`);
});
