import { readFile } from 'node:fs/promises';
import { isInputObjectType } from 'postgraphile/graphql';
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
  const inputs = Object.values(server.graphqlSchema.getTypeMap()).filter(isInputObjectType);
  const written = inputs.filter(({ name }) => /(Input|Patch)$/.test(name));
  expect(written.length).toBeGreaterThan(10);
  const fields = written.flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`));
  expect(fields.filter((field) => /user|organization/i.test(field))).toEqual([]);
});
