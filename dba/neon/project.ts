import { setTimeout as sleep } from 'node:timers/promises';
import type { createApiClient, Operation } from '@neondatabase/api-client';
import { UsageError } from '../../common/usageError.ts';
import { withProgress } from '../cli/progress.ts';
import { explain, type Response } from './explain.ts';

type Api = ReturnType<typeof createApiClient>;

/** How often a request is tried, and the milliseconds before the second try, which double with each. */
const tries = 8;
const firstPause = 500;
/** No hint of Neon's makes a request wait for longer than this. */
const longestPause = 60_000;
/** Milliseconds between two looks at an operation, from the first ones to later ones, and after which it is given up. */
const look = { first: 50, later: 500 };
const patience = 10 * 60_000;

/** What Neon's API answers and what goes wrong with it, in our words. Never shows the key. */
export interface NeonProject {
  readonly id: string;
  /** Sends a request, again where that is safe: https://api-docs.neon.tech/reference/ says of each answer whether it is. */
  ask<Data>(request: (api: Api) => Promise<{ data: Data }>): Promise<Data>;
  /** Waits until what an answer began is done. */
  finished(what: string, operations: readonly Operation[]): Promise<void>;
}

/** The project of NEON_API_KEY and NEON_PROJECT_ID; undefined where not both are set. */
export function neonProject(env: NodeJS.ProcessEnv): NeonProject | undefined {
  const { NEON_API_KEY: apiKey, NEON_PROJECT_ID: id, NEON_API_HOST: baseURL } = env;
  if (!apiKey || !id) return undefined;
  // Loaded for those alone who use Neon: it would be a fifth of what any verb takes to start.
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
        if (!mayRepeat(failed) || attempt === tries) throw new UsageError(explain(failed.response, id, failed.code));
        await sleep(pause(failed.response, attempt));
      }
    }
  };

  const finished = async (what: string, operations: readonly Operation[]) => {
    const deadline = performance.now() + patience;
    for (const { id: operationId, action } of operations) {
      for (let pause = look.first; ; pause = Math.min(look.later, 2 * pause)) {
        const { operation } = await ask((neon) => neon.getProjectOperation(id, operationId));
        if (['finished', 'skipped'].includes(operation.status)) break;
        if (['failed', 'cancelled'].includes(operation.status)) {
          throw new UsageError(
            `${what}: Neon's operation ${action} ${operation.status}. ${operation.error ?? ''}`.trim(),
          );
        }
        if (performance.now() > deadline) {
          throw new UsageError(
            `${what}: Neon's operation ${action} is still ${operation.status} after 10 minutes; it may yet end.`,
          );
        }
        await sleep(pause);
      }
    }
  };

  return { id, ask, finished: (what, operations) => withProgress(what, () => finished(what, operations)) };
}

/** What axios throws. It has the key in it, so that it goes no further. */
interface Failure {
  readonly code?: string;
  readonly config?: { readonly method?: string };
  readonly response?: Response;
}

/** A locked, limited or absent service has done nothing; of any other failure only a reading request is sure of that. */
function mayRepeat({ response, config }: Failure): boolean {
  if (response && [423, 429, 503].includes(response.status)) return true;
  return config?.method === 'get' && (response === undefined || response.status >= 500);
}

function pause(response: Response | undefined, attempt: number): number {
  const hint = response?.headers['retry-after'];
  const asked =
    hint === undefined ? Number.NaN : /^\d+$/.test(hint) ? Number(hint) * 1000 : Date.parse(hint) - Date.now();
  const chosen = Number.isNaN(asked) ? firstPause * 2 ** (attempt - 1) : asked;
  return Math.min(longestPause, Math.max(0, chosen));
}
