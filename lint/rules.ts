import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../common/root.ts';
import type { ApiRule, CatalogRule, CommentRule, Named, PolicyRule, Rule, TextRule } from './rule.ts';

/** Loads the rules of lint/rules/. Each file defines one rule and gives it its name. */
export async function readRules(): Promise<Named<Rule>[]> {
  const folder = join(root, 'lint', 'rules');
  const names = (await readdir(folder)).filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3));
  return Promise.all(
    names.sort().map(async (name) => {
      const { rule } = (await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as { rule: Rule };
      return { ...rule, name };
    }),
  );
}

export function isCatalogRule(rule: Named<Rule>): rule is Named<CatalogRule> {
  return 'query' in rule;
}

export function isPolicyRule(rule: Named<Rule>): rule is Named<PolicyRule> {
  return 'judge' in rule;
}

export function isCommentRule(rule: Named<Rule>): rule is Named<CommentRule> {
  return 'ofComments' in rule;
}

export function isApiRule(rule: Named<Rule>): rule is Named<ApiRule> {
  return 'ofApi' in rule;
}

export function isTextRule(rule: Named<Rule>): rule is Named<TextRule> {
  return 'inspect' in rule;
}

/** Returns the path of a rule's page, relative to the checkout. */
export function pageOf(name: string): string {
  return `docs/lint/${name}.md`;
}
