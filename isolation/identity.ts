import pg from 'pg';

/** How a transaction is told which tenant it acts for. */
export interface Identity {
  /** The setting that policies read the tenant from. */
  readonly setting: string;
  /** The value of the setting, with `:id` in the place of the tenant's id. By default the value is the id itself. */
  readonly template?: string | undefined;
  /** Other settings that policies and functions read, with their values; `:id` in a value is the tenant's id. */
  readonly set?: Readonly<Record<string, string>> | undefined;
}

const placeholder = ':id';

/**
 * The value of the setting in the transactions of the tenant `id`. An empty id gives the empty string: a connection
 * reads that once the setting was set for an earlier transaction.
 */
export function settingValue({ template }: Pick<Identity, 'template'>, id: string): string {
  return id === '' ? '' : fill(template ?? placeholder, id);
}

/** For a template in JSON: the same document without a tenant. Undefined where the template is no JSON. */
export function valueWithoutTenant({ template }: Pick<Identity, 'template'>): string | undefined {
  if (!isJson(template)) return undefined;
  return JSON.stringify(JSON.parse(template, (_, value) => (value === placeholder ? null : value)));
}

/**
 * A statement that gives the transaction its identity.
 *
 * @param id the tenant; null leaves the setting as it is.
 * @param value the whole value of the setting, instead of what the template makes of the id.
 * @returns undefined where nothing is to be set.
 */
export function setIdentity(identity: Identity, id: string | null, value?: string): string | undefined {
  const { setting, set = {} } = identity;
  const settings = Object.entries(set).flatMap(([name, text]): [string, string][] => {
    if (!text.includes(placeholder)) return [[name, text]];
    if (id === null) return [];
    return [[name, id === '' ? '' : fill(text, id)]];
  });
  if (id !== null) settings.unshift([setting, value ?? settingValue(identity, id)]);
  const calls = settings.map(
    ([name, text]) => `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(text)}, true)`,
  );
  return calls.length > 0 ? `select ${calls.join(', ')}` : undefined;
}

/** In JSON the id stands inside of a string, or stands for a whole value such as a number. */
function fill(template: string, id: string): string {
  return template.replaceAll(placeholder, isJson(template) ? JSON.stringify(id).slice(1, -1) : id);
}

function isJson(template: string | undefined): template is string {
  return documentOf(template) !== undefined;
}

/** The object or list in JSON that a value is; undefined where it is none. */
export function documentOf(value: string | undefined): object | undefined {
  try {
    const document: unknown = JSON.parse(value ?? '');
    return typeof document === 'object' && document !== null ? document : undefined;
  } catch {
    return undefined;
  }
}
