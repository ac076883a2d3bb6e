/**
 * Environment variables of libpq and the parameters that they set where a connection string does not. node-postgres reads
 * some in another sense (`PGSSLMODE=require` checks the certificate) and ignores others (`PGCHANNELBINDING`).
 *
 * Not here are those that node-postgres reads as libpq does (`PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE`,
 * `PGDATABASE`, `PGOPTIONS`).
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
 * Adds what the environment says to the parameters of a connection string, as libpq does.
 *
 * @returns the variables that were read, by the parameter that they set.
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

/** An environment without the variables that a connection string has the parameters of. */
export function withoutLibpqVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([variable]) => !(variable in variables) && variable !== 'PGREQUIRESSL'),
  );
}

const ownServers = new Set<string>();

/** Has connections to a server of this process take nothing from the environment, which is about other servers. */
export function ignoreEnvironmentFor(host: string, port: number): void {
  ownServers.add(`${host}:${port}`);
}

export function ignoresEnvironment(host: string, port: string): boolean {
  return ownServers.has(`${host}:${port}`);
}
