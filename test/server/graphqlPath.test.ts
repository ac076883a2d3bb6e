import { randomUUID } from 'node:crypto';
import { requestTo } from '../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer({ production: true });
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const get = (path: string) => requestTo(server.app).get(path);

test('a query is not run by GET', async () => {
  const mutation = `mutation{createList(input:{list:{name:"${randomUUID()}"}}){clientMutationId}}`;
  for (const query of ['{currentUser{email}}', '{__typename}', mutation]) {
    const answer = await get('/graphql').query({ query }).set('Authorization', `Bearer ${ada.token}`);
    expect([400, 404, 405]).toContain(answer.status);
    expect(answer.body.data).toBeUndefined();
  }
  expect(await server.db.asAdmin('select from app_public.lists')).toEqual([]);
});

test.each(['/graphql/', '//graphql', '/GraphQL', '/%67raphql', '/graphql;x', '/./graphql', '/graphql/stream'])(
  'no spelling of the path leads past the token: %s',
  async (path) => {
    const answer = await requestTo(server.app).post(path).send({ query: '{ __typename query { id } }' });
    expect([401, 404]).toContain(answer.status);
    expect(answer.text).not.toMatch(/"data"/);
  },
);

test('in production no page of GraphiQL is served', async () => {
  for (const path of ['/', '/graphql', '/graphiql', '/ruru-static/ruru.js'])
    expect((await get(path).set('Accept', 'text/html')).status).toBeGreaterThanOrEqual(400);
});
