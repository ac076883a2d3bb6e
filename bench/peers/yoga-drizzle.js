// graphql-yoga with resolvers on drizzle-orm, each in a transaction with the tenant's role and id.
import { createServer } from 'node:http';
import { and, asc, desc, eq, gt, lt, lte, or, relations, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { boolean, pgSchema, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { GraphQLError } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import jwt from 'jsonwebtoken';
import pg from 'pg';

const { DATABASE_URL, JWT_SECRET, PORT, POOL_SIZE } = process.env;

const appPublic = pgSchema('app_public');
const todos = appPublic.table('todos', {
  id: uuid().primaryKey(),
  listId: uuid('list_id'),
  title: text().notNull(),
  completed: boolean().notNull(),
  priority: smallint().notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
});
// drizzle's insert names every column of the table, but tenants may not write all of them.
const newTodos = appPublic.table('todos', {
  listId: uuid('list_id'),
  title: text().notNull(),
  priority: smallint().notNull(),
});
const lists = appPublic.table('lists', { id: uuid().primaryKey(), name: text().notNull() });
const listsRelations = relations(lists, ({ many }) => ({ todos: many(todos) }));
const todosRelations = relations(todos, ({ one }) => ({
  list: one(lists, { fields: [todos.listId], references: [lists.id] }),
}));

const db = drizzle(new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) }), {
  schema: { lists, todos, listsRelations, todosRelations },
});

const asTenant = ({ userId }, work) =>
  db.transaction(async (tx) => {
    await tx.execute(
      sql`select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', ${userId}, true)`,
    );
    return work(tx);
  });

const newestFirst = [desc(todos.createdAt), asc(todos.id)];
const fields = {
  id: todos.id,
  title: todos.title,
  completed: todos.completed,
  priority: todos.priority,
  createdAt: todos.createdAt,
};

const resolvers = {
  Todo: { createdAt: ({ createdAt }) => createdAt.toISOString() },
  Query: {
    todos: (_, { first, offset = 0, after }, context) =>
      asTenant(context, (tx) => {
        const [time, id] = after?.split('_') ?? [];
        const createdAt = after && new Date(time);
        const behind =
          after && and(lte(todos.createdAt, createdAt), or(lt(todos.createdAt, createdAt), gt(todos.id, id)));
        return tx
          .select(fields)
          .from(todos)
          .where(behind)
          .orderBy(...newestFirst)
          .limit(first)
          .offset(offset);
      }),
    todo: async (_, { id }, context) => {
      const [todo] = await asTenant(context, (tx) => tx.select(fields).from(todos).where(eq(todos.id, id)));
      return todo;
    },
    lists: (_, { first, todos: count }, context) =>
      asTenant(context, (tx) =>
        tx.query.lists.findMany({
          limit: first,
          orderBy: asc(lists.name),
          with: { todos: { columns: { id: true, title: true }, orderBy: newestFirst, limit: count } },
          extras: {
            todoCount: sql`(select count(*)::int from app_public.todos t where t.list_id = ${lists.id})`.as('count'),
          },
        }),
      ),
  },
  Mutation: {
    createTodo: async (_, { title, priority, listId }, context) => {
      const [todo] = await asTenant(context, (tx) =>
        tx.insert(newTodos).values({ title, priority, listId }).returning(fields),
      );
      return todo;
    },
    updateTodo: async (_, { id, completed }, context) => {
      const [todo] = await asTenant(context, (tx) =>
        tx.update(todos).set({ completed }).where(eq(todos.id, id)).returning(fields),
      );
      return todo;
    },
  },
};

const typeDefs = `
  type Todo { id: ID! title: String! completed: Boolean! priority: Int! createdAt: String! }
  type ListTodo { id: ID! title: String! }
  type List { id: ID! name: String! todoCount: Int! todos: [ListTodo!]! }
  type Query {
    todos(first: Int!, offset: Int, after: String): [Todo!]!
    todo(id: ID!): Todo
    lists(first: Int!, todos: Int!): [List!]!
  }
  type Mutation {
    createTodo(title: String!, priority: Int!, listId: ID!): Todo!
    updateTodo(id: ID!, completed: Boolean!): Todo
  }
`;

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  logging: false,
  graphiql: false,
  landingPage: false,
  context: ({ request }) => {
    try {
      const token = request.headers.get('authorization')?.slice('Bearer '.length);
      const options = { algorithms: ['HS256'], issuer: 'hedgerow', audience: 'hedgerow' };
      return { userId: jwt.verify(token, JWT_SECRET, options).sub };
    } catch {
      throw new GraphQLError('not signed in', { extensions: { http: { status: 401 } } });
    }
  },
});

createServer(yoga).listen(Number(PORT), '127.0.0.1');
