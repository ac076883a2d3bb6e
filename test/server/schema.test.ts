import { readFile } from 'node:fs/promises';
import { printApi } from '../support/printApi.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ template: 'bare' });
});
afterAll(() => server.close());

test('schema.graphql is what the API offers; otherwise run `npm run schema`', async () => {
  expect(printApi(server)).toBe(await readFile('schema.graphql', 'utf8'));
});

test('no input of the API names the owner of a row', () => {
  expect(printApi(server)).not.toMatch(/userId/i);
});
