import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../common/root.ts';

const introduction = `# npm run db

\`npm run db -- <verb>\` writes, applies and inspects migrations. [dba.md](../dba.md) shows how they work together. This page
is generated from the code: \`npm run reference\`.
`;

/** The help of \`npm run db\` and of each verb, as a page in Markdown. */
export async function printReference(): Promise<string> {
  const overview = await help();
  const verbs = [...overview.matchAll(/^ {2}([a-z][a-z-]*)(?: |\|)/gm)].flatMap(([, verb = '']) =>
    verb === 'help' ? [] : verb,
  );
  const pages: string[] = [introduction, fenced(overview)];
  for (const verb of verbs) pages.push(`## ${verb}\n\n${fenced(await help(verb))}`);
  return `${pages.join('\n')}`;
}

async function help(...verb: string[]): Promise<string> {
  const args = [join(root, 'dba', 'cli.ts'), ...verb, '--help'];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: { ...process.env, COLUMNS: '100' },
  });
  return stdout.trim();
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`;
}
