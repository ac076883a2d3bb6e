import { setTimeout as sleep } from 'node:timers/promises';
import type { createApiClient, Operation } from '@neondatabase/api-client';
import { UsageError } from '../../common/usageError.ts';
import { withProgress } from '../cli/progress.ts';

type Api = ReturnType<typeof createApiClient>;

/** Maximum attempts of a request, and the delay before the second one in milliseconds. The delay doubles each time. */
const maxAttempts = 8;
const firstDelay = 500;
/** Upper limit of a `retry-after` header, in milliseconds. */
const maxDelay = 60_000;
/** Milliseconds between polls of an operation, which grow from `first` to `later`, and the time until polling gives up. */
const pollInterval = { first: 50, later: 500 };
const operationTimeout = 10 * 60_000;

/** A client of Neon's API for one project. Its errors explain how to proceed, and never contain the key. */
export interface NeonProject {
  readonly id: string;
  /**
   * Sends a request, and retries it if that is safe. https://api-docs.neon.tech/reference/ lists the safe statuses.
   *
   * @throws UsageError that explains the failed request.
   */
  ask<Data>(request: (api: Api) => Promise<{ data: Data }>): Promise<Data>;
  /**
   * Waits until the operations that a request started have finished.
   *
   * @param what the description of the work: "Resetting trial".
   * @throws UsageError if an operation fails, or takes longer than 10 minutes.
   */
  finished(what: string, operations: readonly Operation[]): Promise<void>;
}

/** Opens the project of NEON_API_KEY and NEON_PROJECT_ID; returns `undefined` unless both are set. */
export function neonProject(env: NodeJS.ProcessEnv): NeonProject | undefined {
  const { NEON_API_KEY: apiKey, NEON_PROJECT_ID: id, NEON_API_HOST: baseURL } = env;
  if (!apiKey || !id) return undefined;
  // Load the client only if it is used: it takes a fifth of the start time of any subcommand.
  const client = async () => {
    const { createApiClient } = await import('@neondatabase/api-client');
    return createApiClient({ apiKey, timeout: 30_000, ...(baseURL && { baseURL }) });
  };
  let opened: ReturnType<typeof client> | undefined;

  const ask: NeonProject['ask'] = async (request) => {
    opened ??= client();
    const api = await opened;
    for (let attempt = 1; ; attempt++) {
      try {
        return (await request(api)).data;
      } catch (error) {
        const failed = error as Failure;
        if (!mayRepeat(failed) || attempt === maxAttempts)
          throw new UsageError(describeFailure(failed.response, id, failed.code));
        await sleep(pause(failed.response, attempt));
      }
    }
  };

  const finished = async (what: string, operations: readonly Operation[]) => {
    const deadline = performance.now() + operationTimeout;
    for (const { id: operationId, action } of operations) {
      for (let pause = pollInterval.first; ; pause = Math.min(pollInterval.later, 2 * pause)) {
        const { operation } = await ask((neon) => neon.getProjectOperation(id, operationId));
        if (['finished', 'skipped'].includes(operation.status)) break;
        if (['failed', 'cancelled'].includes(operation.status)) {
          throw new UsageError(
            `${what}: Neon's operation ${action} ${operation.status}. ${operation.error ?? ''}`.trim(),
          );
        }
        if (performance.now() > deadline) {
          throw new UsageError(
            `${what}: Neon's operation ${action} is still ${operation.status} after 10 minutes. It may still finish: see the console of Neon.`,
          );
        }
        await sleep(pause);
      }
    }
  };

  return { id, ask, finished: (what, operations) => withProgress(what, () => finished(what, operations)) };
}

/** An error of axios. It contains the API key, so it must not leave this module. */
interface Failure {
  readonly code?: string;
  readonly config?: { readonly method?: string };
  readonly response?: Response;
}

/**
 * Whether a failed request can be sent again without side effects. With status 423, 429 or 503 Neon has done nothing.
 * After any other failure only a GET is safe.
 */
function mayRepeat({ response, config }: Failure): boolean {
  if (response && [423, 429, 503].includes(response.status)) return true;
  return config?.method === 'get' && (response === undefined || response.status >= 500);
}

function pause(response: Response | undefined, attempt: number): number {
  const hint = response?.headers['retry-after'];
  const asked =
    hint === undefined ? Number.NaN : /^\d+$/.test(hint) ? Number(hint) * 1000 : Date.parse(hint) - Date.now();
  const chosen = Number.isNaN(asked) ? firstDelay * 2 ** (attempt - 1) : asked;
  return Math.min(maxDelay, Math.max(0, chosen));
}

/** The parts of a response of Neon that are used here. */
interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly data?: { readonly code?: string; readonly message?: string };
}

/**
 * Explains a failed request to Neon, and the next step.
 *
 * @param response undefined if Neon did not respond.
 * @param code the code of the connection error, such as ECONNREFUSED.
 */
function describeFailure(response: Response | undefined, project: string, code = 'no response'): string {
  if (!response)
    return `Cannot reach Neon's API (${code}). Check that this machine is online and may connect to console.neon.tech by https.`;
  const { status, data } = response;
  const said = data?.message ? ` Neon says: ${data.message}` : '';
  if (status === 401)
    return 'Neon does not accept NEON_API_KEY. Create a key in its console, under Settings, API keys.';
  if (status === 403) return `NEON_API_KEY may not do this in project ${project}.${said}`;
  if (status === 404) return `NEON_API_KEY finds no such object in project ${project}. Check NEON_PROJECT_ID.${said}`;
  if (status === 402 || /LIMIT|QUOTA/.test(data?.code ?? '')) {
    return `Project ${project} has reached a limit of its plan.${said} Delete branches that you do not need (\`npm run db -- branch list\`), or change the plan.`;
  }
  if (status === 423) return `Project ${project} is still busy with another operation. Try again later.${said}`;
  if (status === 429) return `Neon's rate limit is reached. Try again in a minute.${said}`;
  return `Neon responded with status ${status}.${said}`;
}
