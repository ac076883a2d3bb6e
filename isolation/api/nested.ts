import type { GraphQLObjectType } from 'postgraphile/graphql';
import { runAttack } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { entryFields } from './rows.ts';
import { relations, select } from './schema.ts';

/** The page size in nested connections, where page sizes multiply. */
const nestedPageSize = 5;

/** Reads each list of rows, and relations from these rows, as B and as the tenant without rows. */
export async function attackNested(context: AttackContext, only: (type: string) => boolean): Promise<void> {
  const { api, b, empty } = context;
  for (const { field, type } of entryFields(api).filter((entrance) => only(entrance.type.name))) {
    const attackWith = async (attack: string, inner?: string) => {
      const pages = field.args.some(({ name }) => name === 'first') ? `(first: ${inner ? nestedPageSize : 100})` : '';
      const request = { document: `{ ${field.name}${pages} ${select(field.type, api.rows, inner)} }` };
      for (const actor of [b, empty]) {
        await runAttack(context, { type: type.name, attack, operation: 'select', actor, request, sent: [] });
      }
    };
    await attackWith('scan');
    for (const path of paths(type, context)) await attackWith('nested', path);
  }
}

/** All paths of up to two relations from rows of `type`. */
function paths(type: GraphQLObjectType, { api }: AttackContext): string[] {
  return relations(type, api.rows).flatMap((first) => {
    const further = relations(first.to, api.rows);
    const step = (inner?: string) => {
      const size = first.field.args.some(({ name }) => name === 'first') ? `(first: ${nestedPageSize})` : '';
      return `${first.field.name}${size} ${select(first.field.type, api.rows, inner)}`;
    };
    const two = further.map(({ field }) => {
      const size = field.args.some(({ name }) => name === 'first') ? `(first: ${nestedPageSize})` : '';
      return step(`${field.name}${size} ${select(field.type, api.rows)}`);
    });
    return two.length > 0 ? two : [step()];
  });
}
