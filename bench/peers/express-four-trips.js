// Express + pg in the usual form: passport-jwt with the secret as a string, and a transaction of four awaited round trips for
// each request. TOKENS=remembered adds Hedgerow's handling of tokens: a key object, and a cache of verified tokens until they
// expire.
import { createSecretKey } from 'node:crypto';
import express from 'express';
import jwt from 'jsonwebtoken';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import pg from 'pg';

const { DATABASE_URL, JWT_SECRET, PORT, POOL_SIZE, TOKENS } = process.env;
const claims = { algorithms: ['HS256'], issuer: 'hedgerow', audience: 'hedgerow' };
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) });

async function asTenant(userId, work) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(
      "select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true)",
      [userId],
    );
    const { rows } = await work(client);
    await client.query('commit');
    return rows;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

const query = (request, text, values) => asTenant(request.user.id, (client) => client.query(text, values));

passport.use(
  new Strategy(
    { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: JWT_SECRET, ...claims },
    (payload, done) => done(null, { id: payload.sub }),
  ),
);

function remembering() {
  const key = createSecretKey(JWT_SECRET, 'utf8');
  const known = new Map();
  return (request, response, next) => {
    const token = request.headers.authorization?.slice('Bearer '.length);
    let payload = known.get(token);
    if (!payload || payload.exp * 1000 <= Date.now()) {
      try {
        payload = jwt.verify(token, key, claims);
      } catch {
        response.sendStatus(401);
        return;
      }
      if (known.size >= 10_000) known.delete(known.keys().next().value);
      known.set(token, payload);
    }
    request.user = { id: payload.sub };
    next();
  };
}

const app = express();
app.use(express.json());
app.use(TOKENS === 'remembered' ? remembering() : passport.authenticate('jwt', { session: false }));

const fields = 'id, title, completed, priority, created_at as "createdAt"';

app.get('/todos', async (request, response) => {
  const { limit, offset = 0, createdAt, id } = request.query;
  response.json(
    createdAt === undefined
      ? await query(request, `select ${fields} from app_public.todos order by created_at desc, id limit $1 offset $2`, [
          limit,
          offset,
        ])
      : await query(
          request,
          `select ${fields} from app_public.todos where created_at <= $2 and (created_at < $2 or id > $3)
           order by created_at desc, id limit $1`,
          [limit, createdAt, id],
        ),
  );
});

app.get('/todos/:id', async (request, response) => {
  const [todo] = await query(request, `select ${fields} from app_public.todos where id = $1`, [request.params.id]);
  if (todo) response.json(todo);
  else response.sendStatus(404);
});

app.post('/todos', async (request, response) => {
  const { title, priority, listId } = request.body;
  const [todo] = await query(
    request,
    `insert into app_public.todos (title, priority, list_id) values ($1, $2, $3) returning ${fields}`,
    [title, priority, listId],
  );
  response.status(201).json(todo);
});

app.patch('/todos/:id', async (request, response) => {
  const [todo] = await query(request, `update app_public.todos set completed = $2 where id = $1 returning ${fields}`, [
    request.params.id,
    request.body.completed,
  ]);
  if (todo) response.json(todo);
  else response.sendStatus(404);
});

app.get('/lists', async (request, response) => {
  response.json(
    await query(
      request,
      `select l.id, l.name, t.newest as todos, c.count::int as "todoCount"
       from app_public.lists l,
         lateral (select count(*) from app_public.todos where list_id = l.id) c,
         lateral (
           select coalesce(json_agg(json_build_object('id', n.id, 'title', n.title)), '[]') as newest
           from (select id, title from app_public.todos where list_id = l.id order by created_at desc, id limit 5) n
         ) t
       order by l.name limit 10`,
    ),
  );
});

app.listen(Number(PORT), '127.0.0.1');
