import { z } from 'zod';
import { canonicalUrl } from '../postgres/connectionString.ts';
import { appUrl, type MailSettings, mailFrom, smtpUrl } from './auth/mailer/settings.ts';
import type { ExternalIssuer } from './auth/tokens/externalIssuer.ts';
import { type PrivateJwk, privateKeys } from './auth/tokens/privateKeys.ts';
import { type AdmissionLimits, admissionLimits } from './tenancy/admission.ts';

const url = z.string().transform((value, context) => {
  try {
    return canonicalUrl(value);
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

const ruleNames = z
  .string()
  .transform((list) => list.split(',').flatMap((name) => name.trim() || []))
  .refine(
    (names) => names.every((name) => /^[a-z]+(-[a-z]+)*$/.test(name)),
    'is not a list of lint rules such as security-definer,foreign-table',
  );

/** A whole number of `unit`s, written in digits. */
const whole = (unit: string, min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `is not a whole number of ${unit}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `is not between ${min} and ${max} ${unit}`);

const origins = z
  .string()
  .transform((list) => list.split(',').flatMap((origin) => origin.trim() || []))
  .refine(
    (list) =>
      list.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin && !origin.includes('*')),
    'is not a list of exact origins such as https://app.example.com',
  );

const https = z.string().refine((value) => {
  const { protocol, hostname, username } = URL.parse(value) ?? { protocol: '', hostname: '', username: '' };
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  return (protocol === 'https:' || (protocol === 'http:' && loopback)) && username === '';
}, 'is not an https:// address without a user in it');

const environment = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'], 'is not development, production or test')
    .default('development'),
  DATABASE_URL: url.optional(),
  DATABASE_URL_LISTEN: url.optional(),
  DATABASE_URL_RO: url.optional(),
  DB_POOL_SIZE: whole('connections', 1, 1000).default(10),
  DB_POOL_TIMEOUT: whole('seconds', 1, 60).default(5),
  DB_POOL_RECYCLE: whole('seconds', 1, 86_400).default(1800),
  DB_PREPARED_STATEMENTS: z.enum(['on', 'off'], 'is not on or off').default('on'),
  TENANT_CONCURRENCY: whole('requests', 1, 1000).default(10),
  TENANT_QUEUE: whole('requests', 0, 10_000).default(50),
  REQUEST_TIMEOUT: whole('seconds', 1, 300).default(10),
  KEEP_ALIVE_TIMEOUT: whole('seconds', 1, 3600).default(75),
  DRAIN_DELAY: whole('seconds', 0, 300).optional(),
  JWT_SECRET: z.string().min(32, 'is shorter than 32 characters').optional(),
  JWT_PRIVATE_KEYS: privateKeys.optional(),
  AUTH_ISSUER: z
    .string()
    .max(255, 'is longer than 255 characters')
    .refine((issuer) => issuer !== 'hedgerow', 'is the name that this server has in its own tokens')
    .optional(),
  AUTH_JWKS_URL: https.optional(),
  AUTH_AUDIENCE: z.string().max(255, 'is longer than 255 characters').optional(),
  AUDIT_RETENTION_DAYS: whole('days', 30, 36_500).optional(),
  AUTH_LIMIT_FACTOR: whole('(a factor)', 1, 1000).default(1),
  SMTP_URL: smtpUrl.optional(),
  MAIL_FROM: mailFrom.default({ name: 'Hedgerow', address: 'no-reply@localhost' }),
  APP_URL: appUrl.optional(),
  PERSISTED_DOCUMENTS: z.string().optional(),
  ALLOWED_ORIGINS: origins.default([]),
  ALLOW_UNSAFE_SCHEMA: ruleNames.default([]),
  PORT: whole('(a port)', 0, 65_535).default(3000),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'is not a level of pino')
    .default('info'),
  TRUST_PROXY: whole('proxies', 0, 100).default(0),
});

/** The validated configuration of the server, frozen. Times are in seconds. */
export interface Config {
  readonly production: boolean;
  /** Absent only outside production, where the embedded Postgres replaces it. */
  readonly databaseUrl: string | undefined;
  /** Connection string of the listener connection; `databaseUrl` by default. */
  readonly listenUrl: string | undefined;
  readonly pool: {
    readonly size: number;
    readonly timeout: number;
    readonly recycle: number;
    readonly preparedStatements: boolean;
    /** Connection string of a streaming replica for reads. */
    readonly replicaUrl: string | undefined;
  };
  /** Limits of concurrent requests, in total and per tenant, and of a tenant's queue. */
  readonly admission: AdmissionLimits;
  /** Time after which the work of a request is canceled. */
  readonly requestTimeout: number;
  /** Time after which an idle connection is closed. */
  readonly keepAliveTimeout: number;
  /** Time for which the server still accepts requests after a signal to stop. */
  readonly drainDelay: number;
  /** Keys for access tokens. Both are absent only outside production, where a secret in `.data/` replaces them. */
  readonly jwtSecret: string | undefined;
  readonly privateKeys: readonly PrivateJwk[] | undefined;
  readonly externalIssuer: ExternalIssuer | undefined;
  /** Factor for the rate limits of sign-in and similar requests. */
  readonly limitFactor: number;
  /** Retention of the audit log in days; undefined keeps it forever. */
  readonly auditRetentionDays: number | undefined;
  readonly mail: MailSettings;
  /** Folder of persisted documents. If it is set, production runs no other documents. */
  readonly persistedDocuments: string | undefined;
  readonly allowedOrigins: readonly string[];
  /** Lint rules whose errors in the live schema are logged and do not keep the server from starting. */
  readonly allowedRules: readonly string[];
  readonly port: number;
  readonly host: string;
  readonly logLevel: string;
  /** Number of trusted proxies in front of the server, which report the client's address. */
  readonly trustProxy: number;
}

/** The environment is invalid. Has one line for each wrong variable. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `The environment is incomplete or invalid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}\nSee .env.example for what each variable means.`,
    );
    this.problems = problems;
  }
}

/**
 * Reads and validates the environment. An empty variable counts as absent.
 *
 * @param mayBeIncomplete whether the database and the key may be absent outside production.
 * @throws ConfigError with all missing and wrong variables, and without their values, which may be secrets.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  { mayBeIncomplete = true }: { readonly mayBeIncomplete?: boolean } = {},
): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  const problems = parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? [];
  const isProduction = given.NODE_ENV === 'production';
  if (isProduction || !mayBeIncomplete) {
    const needed = isProduction ? 'needed in production' : 'needed';
    const embedded = isProduction ? '' : ': `npm start` runs an embedded Postgres without it';
    if (given.DATABASE_URL === undefined) problems.push(`DATABASE_URL is ${needed}${embedded}`);
    if (given.JWT_SECRET === undefined && given.JWT_PRIVATE_KEYS === undefined) {
      problems.push(`JWT_SECRET is ${needed}, or JWT_PRIVATE_KEYS`);
    }
  }
  const ofIssuer = ['AUTH_ISSUER', 'AUTH_JWKS_URL', 'AUTH_AUDIENCE'];
  if (ofIssuer.some((name) => given[name] !== undefined)) {
    for (const name of ofIssuer) {
      if (given[name] === undefined) problems.push(`${name} is needed too: ${ofIssuer.join(', ')} go together`);
    }
  }
  if (given.SMTP_URL !== undefined && given.MAIL_FROM === undefined) problems.push('MAIL_FROM is needed with SMTP_URL');
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  const { data } = parsed;
  return Object.freeze({
    production: data.NODE_ENV === 'production',
    databaseUrl: data.DATABASE_URL,
    listenUrl: data.DATABASE_URL_LISTEN ?? data.DATABASE_URL,
    pool: Object.freeze({
      size: data.DB_POOL_SIZE,
      timeout: data.DB_POOL_TIMEOUT,
      recycle: data.DB_POOL_RECYCLE,
      preparedStatements: data.DB_PREPARED_STATEMENTS === 'on',
      replicaUrl: data.DATABASE_URL_RO,
    }),
    admission: Object.freeze(
      admissionLimits(data.DB_POOL_SIZE, { perTenant: data.TENANT_CONCURRENCY, queue: data.TENANT_QUEUE }),
    ),
    requestTimeout: data.REQUEST_TIMEOUT,
    keepAliveTimeout: data.KEEP_ALIVE_TIMEOUT,
    drainDelay: data.DRAIN_DELAY ?? (data.NODE_ENV === 'production' ? 3 : 0),
    jwtSecret: data.JWT_SECRET,
    privateKeys: data.JWT_PRIVATE_KEYS && Object.freeze(data.JWT_PRIVATE_KEYS),
    externalIssuer: externalIssuer(data),
    limitFactor: data.AUTH_LIMIT_FACTOR,
    auditRetentionDays: data.AUDIT_RETENTION_DAYS,
    mail: Object.freeze({ smtpUrl: data.SMTP_URL, from: Object.freeze(data.MAIL_FROM), appUrl: data.APP_URL }),
    persistedDocuments: data.PERSISTED_DOCUMENTS,
    allowedOrigins: Object.freeze(data.ALLOWED_ORIGINS),
    allowedRules: Object.freeze(data.ALLOW_UNSAFE_SCHEMA),
    port: data.PORT,
    host: data.HOST,
    logLevel: data.LOG_LEVEL,
    trustProxy: data.TRUST_PROXY,
  });
}

function externalIssuer({ AUTH_ISSUER, AUTH_JWKS_URL, AUTH_AUDIENCE }: z.infer<typeof environment>) {
  if (!AUTH_ISSUER || !AUTH_JWKS_URL || !AUTH_AUDIENCE) return undefined;
  return Object.freeze({ issuer: AUTH_ISSUER, jwksUrl: AUTH_JWKS_URL, audience: AUTH_AUDIENCE });
}
