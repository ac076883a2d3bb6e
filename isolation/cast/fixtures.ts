import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Relation } from '../catalog.ts';
import type { Member } from './cast.ts';
import type { Making } from './making.ts';

/**
 * Runs the statement that a person wrote for the table, if there is one. `:owner` in it is the tenant's id, `:n` a
 * number that no other row has, both as literals.
 *
 * @returns undefined where there is no such file, true where a row was made, and otherwise why not.
 */
export async function runFixture(
  making: Making,
  table: Relation,
  member: Member | null,
  folder: string,
): Promise<true | string | undefined> {
  const text = (await read(join(folder, `${table.name}.sql`))) ?? (await read(join(folder, `${table.relname}.sql`)));
  if (text === undefined) return undefined;
  const { client } = making;
  making.count += 1;
  const statement = text
    .replaceAll(/(?<!:):owner\b/g, member ? client.escapeLiteral(member.id) : 'null')
    .replaceAll(/(?<!:):n\b/g, String(making.count));
  await client.query('savepoint fixture');
  try {
    await client.query(statement);
    await client.query('release savepoint fixture');
    return true;
  } catch (error) {
    await client.query('rollback to savepoint fixture; release savepoint fixture');
    return `its fixture: ${(error as Error).message}`;
  }
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
}
