import type pg from 'pg';
import type { Catalog } from './catalog.ts';
import type { Control } from './controls.ts';
import { setIdentity, settingValue } from './identity.ts';
import { inSavepoint } from './seedData/checks.ts';
import { escapeRegExp } from './text.ts';

interface Failure {
  readonly reader: string;
  readonly code: string;
  readonly message: string;
  readonly context?: string | undefined;
}

/**
 * Explains why functions or policies cannot read the setting's value. Every answer is then an error, which proves
 * neither a leak nor isolation.
 *
 * @param id the tenant that the setting names.
 * @returns undefined if the value is readable.
 */
export async function whyUnreadable(
  client: pg.ClientBase,
  catalog: Catalog,
  id: string,
  controls: readonly Control[],
): Promise<string | undefined> {
  const failures = [
    ...(await checkHelpers(client, catalog, id)),
    // An error of a function may be about its arguments.
    ...controls.flatMap(({ table, operation, error }) =>
      error && operation !== 'call' ? [{ reader: `a policy of ${table}`, ...error }] : [],
    ),
  ];
  const value = settingValue(catalog, id);
  const form = `Give the format of the value, in which ":id" stands for the tenant's id: --setting-template '{"sub": ":id", "role": "${catalog.role}"}'.`;
  const found = failures.find((failure) => isAboutValue(failure, value));
  if (!found) {
    const reads = controls.filter(({ operation }) => operation === 'select');
    // A plain number is valid JSON without any claims. No error occurs, and no row is visible.
    const isMisread = catalog.template === undefined && isReadAsJson(catalog) && !reads.some(({ works }) => works);
    return isMisread
      ? `The value of ${catalog.setting} is no JSON document with claims: policies or functions read it as JSON, and A sees no row. Nothing was attacked. ${form}`
      : undefined;
  }
  const advice = /\bjson/.test(`${found.message} ${found.context}`)
    ? form
    : `Name existing tenants with --tenant-ids, or give the format of the value with --setting-template.`;
  return `The value of ${catalog.setting} cannot be read: ${found.reader} answers "${found.message}". Nothing was attacked. ${advice}`;
}

/** Whether policies, or the functions that return the current tenant, read the setting as JSON. */
function isReadAsJson({ setting, tables, helpers }: Catalog): boolean {
  const json = new RegExp(
    `current_setting\\s*\\(\\s*'${escapeRegExp(setting)}'[^;]{0,120}?(?:::jsonb?\\b|->|as jsonb?\\b)`,
    'i',
  );
  const policies = tables.flatMap((table) => table.policies.map(({ using, check }) => `${using} ${check}`));
  return [...policies, ...helpers.map(({ source }) => source)].some((text) => json.test(text));
}

async function checkHelpers(client: pg.ClientBase, catalog: Catalog, id: string): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const { name, sql } of catalog.helpers) {
    await inSavepoint(client, async () => {
      await client.query(setIdentity(catalog, id) as string);
      await client.query(`select ${sql}()`).catch(({ code, message, detail, where }: pg.DatabaseError) => {
        failures.push({ reader: `function ${name}`, code: code ?? '', message, context: `${detail}\n${where}` });
        throw Object.assign(new Error(message), { code });
      });
    });
  }
  return failures;
}

/** Whether a type error is about this value. Postgres quotes the value, or the start of a JSON document. */
function isAboutValue({ code, message, context = '' }: Failure, value: string): boolean {
  if (code !== '22P02' && !code.startsWith('2203')) return false;
  const [, json] = /^JSON data, line \d+: (.*?)(?:\.\.\.)?$/m.exec(context) ?? [];
  return (
    message.includes(value) || (json !== undefined && json !== '' && value.startsWith(json.replace(/^\.\.\./, '')))
  );
}
