import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { gqlPluckFromCodeString } from '@graphql-tools/graphql-tag-pluck';

/** GraphQL source of a client: a whole `.graphql` file or one template literal. */
export interface GraphQLText {
  readonly file: string;
  readonly text: string;
}

const code = new Set(['.ts', '.tsx', '.js', '.jsx']);

/** Reads all GraphQL in files and folders: `.graphql` files, and gql`…` and graphql(`…`) in code. */
export async function readSources(paths: readonly string[]): Promise<GraphQLText[]> {
  const texts: GraphQLText[] = [];
  for (const path of paths) {
    for (const file of await filesIn(path)) {
      const text = await readFile(file, 'utf8');
      const found = code.has(extname(file)) ? await pluck(file, text) : [text];
      texts.push(...found.map((one) => ({ file, text: one })));
    }
  }
  return texts;
}

async function filesIn(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && (code.has(extname(entry.name)) || entry.name.endsWith('.graphql')))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('node_modules'))
    .sort();
}

async function pluck(file: string, text: string): Promise<string[]> {
  const sources = await gqlPluckFromCodeString(file, text, { globalGqlIdentifierName: ['gql', 'graphql'] });
  return sources.map(({ body }) => body);
}
