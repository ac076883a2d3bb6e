import type { Command } from 'commander';
import { program } from '../../dba/program.ts';

const introduction = `# npm run db

\`npm run db -- <verb>\` writes, applies and inspects migrations. [dba.md](../dba.md) shows how they work together. This page
is generated from the code: \`npm run reference\`.
`;

/** Prints the help of `npm run db` and of each verb as a Markdown page. */
export function printReference(): string {
  const verbs = program.commands.map((verb) => `## ${verb.name()}\n\n${fenced(helpOf(verb))}`);
  return [introduction, fenced(helpOf(program)), ...verbs].join('\n');
}

function helpOf(command: Command): string {
  let help = '';
  const writeOut = (text: string) => {
    help += text;
  };
  command.configureOutput({ writeOut, getOutHelpWidth: () => 80 }).outputHelp();
  return help.trim();
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`;
}
