import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { generate } from 'selfsigned';
import type { MailSettings } from '../../../server/auth/mailer/settings.ts';
import { createLog } from '../../../server/http/log.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { requestTo } from '../../support/requestTo.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';
import { type MailServer, parse, startMailServer, tokenIn } from '../../support/smtp.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

type Server = Omit<TestServer, 'db'> & { lines: string[]; logged(message: string): Promise<Record<string, unknown>> };

/** Resources to close after each test. */
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function start(mail: Partial<MailSettings>): Promise<Server> {
  const lines: string[] = [];
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  const server = await serve(db, { mail, log });
  opened.push(server);
  const close = () => {
    opened.splice(opened.indexOf(server), 1);
    return server.close();
  };
  const logged = async (message: string) => {
    for (;;) {
      const line = lines.map((text) => JSON.parse(text)).find(({ msg }) => msg === message);
      if (line) return line;
      await sleep(10);
    }
  };
  return { ...server, lines, logged, close };
}

async function mailServer(options?: Parameters<typeof startMailServer>[0]): Promise<MailServer> {
  const mail = await startMailServer(options);
  opened.push(mail);
  return mail;
}

/** No test's account has the name of another's. */
let accounts = 0;
const nextName = () => `user${accounts++}`;

/** Registers, which sends mail behind the answer; it fails, is logged, and the log names neither address nor token. */
async function sendsInVain(server: Server): Promise<Record<string, unknown>> {
  const { email, id } = await signUp(server.app, nextName());
  const line = await server.logged('mail was not sent');
  expect(server.lines.join('')).not.toContain(email);
  const stored = await db.asAdmin(`select from app_private.mail_tokens where user_id = $1`, [id]);
  expect(stored).toHaveLength(1);
  return line;
}

/** So many tenants who ask for mail all at once. They have registered elsewhere, which takes a while. */
async function askAtOnce(server: Server, count: number): Promise<Tenant[]> {
  const elsewhere = await start({});
  const tenants = await Promise.all(Array.from({ length: count }, () => signUp(elsewhere.app, nextName())));
  const ask = ({ token }: Tenant) =>
    requestTo(server.app).post('/auth/email/send').auth(token, { type: 'bearer' }).send({}).expect(202);
  await Promise.all(tenants.map(ask));
  return tenants;
}

test('without an app the message has the token alone, and says what to do with it', async () => {
  const mail = await mailServer();
  const server = await start({ smtpUrl: `smtp://127.0.0.1:${mail.port}` });
  const { email } = await signUp(server.app, nextName());
  const verification = await mail.mailTo(email);
  expect(verification.text).not.toContain('http');
  expect(verification.text).toContain('/auth/email/verify');
  await requestTo(server.app)
    .post('/auth/email/verify')
    .send({ token: ` ${tokenIn(verification)}\n` })
    .expect(204);
  await requestTo(server.app).post('/auth/password/forgot').send({ email }).expect(202);
  const reset = await mail.mailTo(email);
  expect(reset.text).toContain('/auth/password/reset');
  expect(server.lines.join('')).not.toMatch(new RegExp(`${email}|${tokenIn(verification)}|${tokenIn(reset)}`));
});

test('user and password of the address are used, also those that a URL has to escape', async () => {
  const logins: unknown[] = [];
  const mail = await mailServer({
    ...{ authOptional: false, allowInsecureAuth: true },
    onAuth({ username, password }, _session, done) {
      logins.push([username, password]);
      done(null, { user: username });
    },
  });
  const server = await start({ smtpUrl: `smtp://hedge%40row:p%2Fw%3A%20d@localhost:${mail.port}` });
  const { email } = await signUp(server.app, nextName());
  await mail.mailTo(email);
  expect(logins).toEqual([['hedge@row', 'p/w: d']]);
});

test('a mail server that refuses is logged, and registration works', async () => {
  const mail = await mailServer({
    onRcptTo: ({ address }, _session, done) => done(new Error(`no such mailbox: ${address}`)),
  });
  const line = await sendsInVain(await start({ smtpUrl: `smtp://127.0.0.1:${mail.port}` }));
  expect(line).toMatchObject({ level: 50, err: { code: 'EENVELOPE', message: expect.stringContaining('550') } });
});

test('an unreachable mail server is logged, and registration works', async () => {
  const line = await sendsInVain(await start({ smtpUrl: 'smtp://127.0.0.1:1' }));
  expect(line).toMatchObject({ err: { code: expect.stringMatching(/^(ESOCKET|ECONNREFUSED|ECONNECTION)$/) } });
});

test('a silent mail server delays neither a response nor the shutdown', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const server = await start({ smtpUrl: `smtp://127.0.0.1:${port}` });
  await askAtOnce(server, 6);
  await server.close();
  expect(await server.logged('mail was not sent')).toMatchObject({ err: { code: 'EABORT' } });
  expect(await server.logged('mail was not sent: the server is stopping')).toMatchObject({ messages: 2 });
  silent.close();
});

test('the mailer sends four messages at a time', async () => {
  let [open, most] = [0, 0];
  const held = Promise.withResolvers<void>();
  const mail = await mailServer({
    onConnect(_session, done) {
      most = Math.max(most, ++open);
      held.promise.then(() => done());
    },
    onClose: () => void open--,
  });
  const server = await start({ smtpUrl: `smtp://127.0.0.1:${mail.port}` });
  const tenants = await askAtOnce(server, 12);
  while (open < 4) await sleep(10);
  held.resolve();
  await Promise.all(tenants.map(({ email }) => mail.mailTo(email)));
  expect(most).toBe(4);
});

describe('TLS', () => {
  const trusted = tls.getCACertificates('default');
  let identity: { key: string; cert: string };
  beforeAll(async () => {
    const altNames = [
      { type: 2 as const, value: 'localhost' },
      { type: 7 as const, ip: '127.0.0.1' },
    ];
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
      ...{ keyType: 'ec', algorithm: 'sha256', extensions: [{ name: 'subjectAltName', altNames }] },
    });
    identity = { key, cert };
  });
  afterEach(() => tls.setDefaultCACertificates(trusted));

  test.each(['smtps', 'smtp'])('a certificate that nobody vouches for is refused (%s)', async (protocol) => {
    const mail = await mailServer({ ...identity, secure: protocol === 'smtps', hideSTARTTLS: false });
    const line = await sendsInVain(await start({ smtpUrl: `${protocol}://localhost:${mail.port}` }));
    expect(line).toMatchObject({ err: { message: expect.stringContaining('mail server') } });
    expect(mail.received).toEqual([]);
  });

  test.each(['smtps', 'smtp'])('a certificate that the process trusts is taken (%s)', async (protocol) => {
    tls.setDefaultCACertificates([...trusted, identity.cert]);
    const mail = await mailServer({ ...identity, secure: protocol === 'smtps', hideSTARTTLS: false });
    const server = await start({ smtpUrl: `${protocol}://localhost:${mail.port}` });
    const { email } = await signUp(server.app, nextName());
    expect(await mail.mailTo(email)).toMatchObject({ secure: true });
  });

  test('nothing is sent in the clear but to this machine, unless the address says so', async () => {
    const mail = await mailServer();
    // This machine, by an address that does not say that it is.
    await sendsInVain(await start({ smtpUrl: `smtp://0.0.0.0:${mail.port}` }));
    await sendsInVain(await start({ smtpUrl: `smtp://127.0.0.1:${mail.port}?requireTLS=true` }));
    expect(mail.received).toEqual([]);
    const server = await start({ smtpUrl: `smtp://0.0.0.0:${mail.port}?requireTLS=false` });
    const { email } = await signUp(server.app, nextName());
    expect(await mail.mailTo(email)).toMatchObject({ secure: false });
  });
});

test('an address that got into the database by another way adds no header and no recipient', async () => {
  const mail = await mailServer();
  const server = await start({ smtpUrl: `smtp://127.0.0.1:${mail.port}` });
  const { id, email, token } = await signUp(server.app, nextName());
  await mail.mailTo(email);
  const hostile = [
    `${id}@x.example\r\nbcc: eve@example.com`,
    `${id}@x.example, eve@example.com`,
    `${id}@x.example> <e@x`,
  ];
  for (const address of hostile) {
    await db.asAdmin('update app_public.users set email = $2 where id = $1', [id, address]);
    await requestTo(server.app).post('/auth/email/send').auth(token, { type: 'bearer' }).send({}).expect(202);
  }
  const failures = () => server.lines.filter((line) => line.includes('the recipient is not a valid mail address'));
  while (failures().length < hostile.length) await sleep(10);
  expect(mail.received).toHaveLength(1);
});

test('in development messages are files that only their owner reads, and the log says where', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'hedgerow-mail-'));
  const directory = join(parent, 'data', 'mail');
  const server = await start({ directory });
  const { email } = await signUp(server.app, nextName());
  const { file } = await server.logged('mail was written to a file');
  expect(await readdir(directory)).toEqual([String(file).slice(directory.length + 1)]);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect((await stat(String(file))).mode & 0o777).toBe(0o600);
  const message = parse(await readFile(String(file), 'utf8'));
  expect(message.head).toContain(`To: ${email}`);
  const token = tokenIn(message);
  expect(server.lines.join('')).not.toMatch(new RegExp(`${email}|${token}`));
  await requestTo(server.app).post('/auth/email/verify').send({ token }).expect(204);
  await rm(parent, { recursive: true });
});

test('a server that cannot send mail says so to everybody alike, and warns when it starts', async () => {
  const server = await start({});
  expect(
    await server.logged(
      'SMTP_URL is not set, so users cannot reset passwords or verify addresses. Set it to send mail.',
    ),
  ).toMatchObject({
    level: 40,
  });
  const { id, email, token } = await signUp(server.app, nextName());
  const forgot = (address: string) => requestTo(server.app).post('/auth/password/forgot').send({ email: address });
  const { body } = await forgot(email).expect(503);
  expect(body).toMatchObject({ status: 503, detail: 'This server does not send mail.' });
  expect((await forgot('nobody@example.com').expect(503)).body).toEqual(body);
  await requestTo(server.app).post('/auth/email/send').auth(token, { type: 'bearer' }).send({}).expect(503);
  expect(await db.asAdmin('select from app_private.mail_tokens where user_id = $1', [id])).toEqual([]);
});
