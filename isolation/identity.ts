import pg from 'pg';

/** Describes how a transaction sets its tenant. */
export interface Identity {
  /** The setting from which policies read the tenant. */
  readonly setting: string;
  /** The setting's value, in which `:id` stands for the tenant's id. Defaults to the id itself. */
  readonly template?: string | undefined;
  /** Values of other settings that policies and functions read; `:id` in a value stands for the tenant's id. */
  readonly set?: Readonly<Record<string, string>> | undefined;
}

const placeholder = ':id';

/** The settings that identify the tenant: its setting, and those of `set` whose value contains the tenant's id. */
export function tenantSettings({ setting, set = {} }: Identity): string[] {
  return [setting, ...Object.keys(set).filter((name) => name !== setting && set[name]?.includes(placeholder))];
}

/**
 * The setting's value in transactions of the tenant `id`. An empty id gives the empty string, which is the value that
 * Postgres restores after an earlier transaction has set the setting.
 */
export function settingValue({ template }: Pick<Identity, 'template'>, id: string): string {
  return id === '' ? '' : fill(template ?? placeholder, id);
}

/** The JSON template with null in place of the tenant's id; undefined if the template is not JSON. */
export function valueWithoutTenant({ template }: Pick<Identity, 'template'>): string | undefined {
  if (!isJson(template)) return undefined;
  return JSON.stringify(JSON.parse(template, (_, value) => (value === placeholder ? null : value)));
}

/**
 * The settings of a transaction with their values, the tenant's setting first.
 *
 * @param id the tenant; null leaves out the settings that identify it.
 * @param value the whole value of the tenant's setting; replaces the template.
 */
export function settingsOf(identity: Identity, id: string | null, value?: string): [name: string, text: string][] {
  const { setting, set = {} } = identity;
  const settings = Object.entries(set).flatMap(([name, text]): [string, string][] => {
    if (!text.includes(placeholder)) return [[name, text]];
    if (id === null) return [];
    return [[name, id === '' ? '' : fill(text, id)]];
  });
  if (id !== null) settings.unshift([setting, value ?? settingValue(identity, id)]);
  return settings;
}

/** Builds the statement that sets the settings; undefined if there is none. The parameters are those of `settingsOf`. */
export function setIdentity(identity: Identity, id: string | null, value?: string): string | undefined {
  const calls = settingsOf(identity, id, value).map(
    ([name, text]) => `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(text)}, true)`,
  );
  return calls.length > 0 ? `select ${calls.join(', ')}` : undefined;
}

/** Replaces the placeholder. In JSON it stands within a string, or for a whole value such as a number. */
export function fill(template: string, id: string): string {
  return template.replaceAll(placeholder, isJson(template) ? JSON.stringify(id).slice(1, -1) : id);
}

function isJson(template: string | undefined): template is string {
  return documentOf(template) !== undefined;
}

/** Parses a value as a JSON object or array; undefined if it is neither. */
export function documentOf(value: string | undefined): object | undefined {
  try {
    const document: unknown = JSON.parse(value ?? '');
    return typeof document === 'object' && document !== null ? document : undefined;
  } catch {
    return undefined;
  }
}
