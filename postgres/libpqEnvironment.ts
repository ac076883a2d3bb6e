/**
 * Environment variables of libpq, and the parameters that they set if the connection string lacks them. node-postgres gives
 * some another meaning (`PGSSLMODE=require` checks the certificate) and ignores others (`PGCHANNELBINDING`).
 *
 * The list omits variables that node-postgres reads as libpq does: `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`,
 * `PGPASSFILE`, `PGDATABASE`, `PGOPTIONS`.
 */
const variables: Readonly<Record<string, string>> = {
  PGCHANNELBINDING: 'channel_binding',
  PGCONNECT_TIMEOUT: 'connect_timeout',
  PGGSSDELEGATION: 'gssdelegation',
  PGGSSENCMODE: 'gssencmode',
  PGHOSTADDR: 'hostaddr',
  PGLOADBALANCEHOSTS: 'load_balance_hosts',
  PGMAXPROTOCOLVERSION: 'max_protocol_version',
  PGMINPROTOCOLVERSION: 'min_protocol_version',
  PGREQUIREAUTH: 'require_auth',
  PGREQUIREPEER: 'requirepeer',
  PGSERVICE: 'service',
  PGSSLCERT: 'sslcert',
  PGSSLCERTMODE: 'sslcertmode',
  PGSSLCOMPRESSION: 'sslcompression',
  PGSSLCRL: 'sslcrl',
  PGSSLCRLDIR: 'sslcrldir',
  PGSSLKEY: 'sslkey',
  PGSSLMAXPROTOCOLVERSION: 'ssl_max_protocol_version',
  PGSSLMINPROTOCOLVERSION: 'ssl_min_protocol_version',
  PGSSLMODE: 'sslmode',
  PGSSLNEGOTIATION: 'sslnegotiation',
  PGSSLROOTCERT: 'sslrootcert',
  PGSSLSNI: 'sslsni',
  PGTARGETSESSIONATTRS: 'target_session_attrs',
};

/**
 * Adds parameters from the environment to those of a connection string, as libpq does.
 *
 * @returns the variables that set a parameter, by parameter.
 */
export function inheritParameters(parameters: Map<string, string>, env: NodeJS.ProcessEnv): Map<string, string> {
  const inherited = new Map<string, string>();
  const inherit = (variable: string, name: string, value: string | undefined) => {
    if (!value || parameters.has(name)) return;
    parameters.set(name, value);
    inherited.set(name, variable);
  };
  for (const [variable, name] of Object.entries(variables)) inherit(variable, name, env[variable]);
  if (env.PGREQUIRESSL?.startsWith('1')) inherit('PGREQUIRESSL', 'sslmode', 'require');
  return inherited;
}

/** Returns a copy of the environment without the variables that set parameters of a connection string. */
export function withoutLibpqVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([variable]) => !(variable in variables) && variable !== 'PGREQUIRESSL'),
  );
}

const ownServers = new Set<string>();

/** Makes connections to a server of this process ignore the environment, which concerns other servers. */
export function ignoreEnvironmentFor(host: string, port: number): void {
  ownServers.add(`${host}:${port}`);
}

export function ignoresEnvironment(host: string, port: string): boolean {
  return ownServers.has(`${host}:${port}`);
}
