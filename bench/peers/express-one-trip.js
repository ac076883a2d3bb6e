// Like express-four-trips.js, but with one round trip for each request: one implicit transaction of two prepared statements,
// identity and query.
import express from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import pg from 'pg';

const { DATABASE_URL, JWT_SECRET, PORT, POOL_SIZE } = process.env;
const claims = { algorithms: ['HS256'], issuer: 'hedgerow', audience: 'hedgerow' };
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) });

/** A query with the tenant's identity before it and one Sync behind both. */
class TenantQuery extends pg.Query {
  #userId;
  #established = false;

  constructor(userId, config, callback) {
    super(config, undefined, callback);
    this.#userId = userId;
  }

  prepare(connection) {
    if (!connection.knowsIdentity) {
      connection.knowsIdentity = true;
      connection.parse({
        name: 'identity',
        text: "select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true)",
      });
    }
    connection.bind({ statement: 'identity', values: [this.#userId] });
    connection.execute({});
    super.prepare(connection);
  }

  handleDataRow(message) {
    if (this.#established) super.handleDataRow(message);
  }

  handleCommandComplete(message, connection) {
    if (this.#established) super.handleCommandComplete(message, connection);
    this.#established = true;
  }
}

async function query(request, name, text, values) {
  const client = await pool.connect();
  try {
    const { rows } = await new Promise((resolve, reject) => {
      const done = (error, result) => (error ? reject(error) : resolve(result));
      client.query(new TenantQuery(request.user.id, { name, text, values }, done));
    });
    return rows;
  } finally {
    client.release();
  }
}

passport.use(
  new Strategy(
    { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: JWT_SECRET, ...claims },
    (payload, done) => done(null, { id: payload.sub }),
  ),
);

const app = express();
app.use(express.json());
app.use(passport.authenticate('jwt', { session: false }));

const fields = 'id, title, completed, priority, created_at as "createdAt"';

app.get('/todos', async (request, response) => {
  const { limit, offset = 0, createdAt, id } = request.query;
  response.json(
    createdAt === undefined
      ? await query(
          request,
          'page',
          `select ${fields} from app_public.todos order by created_at desc, id limit $1 offset $2`,
          [limit, offset],
        )
      : await query(
          request,
          'after',
          `select ${fields} from app_public.todos where created_at <= $2 and (created_at < $2 or id > $3)
           order by created_at desc, id limit $1`,
          [limit, createdAt, id],
        ),
  );
});

app.get('/todos/:id', async (request, response) => {
  const [todo] = await query(request, 'byId', `select ${fields} from app_public.todos where id = $1`, [
    request.params.id,
  ]);
  if (todo) response.json(todo);
  else response.sendStatus(404);
});

app.post('/todos', async (request, response) => {
  const { title, priority, listId } = request.body;
  const [todo] = await query(
    request,
    'create',
    `insert into app_public.todos (title, priority, list_id) values ($1, $2, $3) returning ${fields}`,
    [title, priority, listId],
  );
  response.status(201).json(todo);
});

app.patch('/todos/:id', async (request, response) => {
  const [todo] = await query(
    request,
    'update',
    `update app_public.todos set completed = $2 where id = $1 returning ${fields}`,
    [request.params.id, request.body.completed],
  );
  if (todo) response.json(todo);
  else response.sendStatus(404);
});

app.get('/lists', async (request, response) => {
  response.json(
    await query(
      request,
      'lists',
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
