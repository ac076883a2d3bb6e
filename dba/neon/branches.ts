import type { EndpointType, Branch as NeonBranch } from '@neondatabase/api-client';
import { UsageError } from '../../common/usageError.ts';
import { databaseOf } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { type Branch, type Branches, type BranchUrls, checkName, keptName } from '../branches/branch.ts';
import type { NeonProject } from './project.ts';

/** Prefix of our branch names in Neon's console. Hedgerow never lists, resets or deletes branches without it. */
const prefix = 'hedgerow/';

const readWrite = 'read_write' as EndpointType.ReadWrite;

/** Neon branches: copy-on-write, each with its own compute. No connection has to be closed to create one. */
export function neonBranches(target: Target, neon: NeonProject): Branches {
  return {
    parent: `${target.name}, Neon project ${neon.id}`,
    create: async (name) => {
      checkName(name);
      const parent = await branchOfTarget(target, neon);
      if ((await ours(neon)).some((branch) => shortName(branch) === name)) {
        throw new UsageError(`A branch ${name} already exists: choose another name.`);
      }
      const made = await neon.ask((api) =>
        api.createProjectBranch(neon.id, {
          branch: { name: prefix + name, parent_id: parent.id },
          endpoints: [{ type: readWrite }],
        }),
      );
      await neon.finished(`Branching ${parent.name}`, made.operations);
      return describe(await find(neon, name), [parent]);
    },
    list: async () => {
      const branches = await ours(neon);
      return branches.map((branch) => describe(branch, branches));
    },
    urls: async (name) => urls(target, neon, await find(neon, name)),
    reset: async (name) => {
      const { id, parent_id: parent } = await find(neon, name);
      if (!parent) throw new UsageError(`Branch ${name} has no parent branch, so it cannot be reset.`);
      const { operations } = await neon.ask((api) =>
        api.restoreProjectBranch(neon.id, id, { source_branch_id: parent }),
      );
      await neon.finished(`Resetting ${name}`, operations);
    },
    drop: async (name) => {
      const { id } = await find(neon, name);
      const { operations } = await neon.ask((api) => api.deleteProjectBranch({ projectId: neon.id, branchId: id }));
      await neon.finished(`Deleting ${name}`, operations);
    },
    promote: async (name) => {
      const [branch, parent] = [await find(neon, name), await branchOfTarget(target, neon)];
      return replace(neon, parent, `Promoting ${name}`, { source_branch_id: branch.id });
    },
  };
}

async function ours(neon: NeonProject): Promise<NeonBranch[]> {
  const { branches } = await neon.ask((api) =>
    api.listProjectBranches({
      projectId: neon.id,
      search: prefix,
      sort_by: 'created_at',
      sort_order: 'asc',
      limit: 10_000,
    }),
  );
  return branches.filter(({ name }) => name.startsWith(prefix));
}

async function find(neon: NeonProject, name: string): Promise<NeonBranch> {
  const branches = await ours(neon);
  const found = branches.find((branch) => shortName(branch) === name);
  if (found) return found;
  const names = branches.map(shortName).join(', ');
  throw new UsageError(
    `Neon project ${neon.id} has no branch ${prefix}${name}. ${names ? `It has ${names}.` : 'It has none.'}`,
  );
}

function shortName({ name }: NeonBranch): string {
  return name.slice(prefix.length);
}

/**
 * Restores the target to an earlier time. Its connection strings stay the same.
 *
 * @param at a time in ISO 8601, within the project's history retention on Neon.
 * @returns the name of the branch that keeps the replaced data.
 */
export async function restoreToTime(target: Target, neon: NeonProject, at: string): Promise<string> {
  const branch = await branchOfTarget(target, neon);
  return replace(neon, branch, `Restoring ${branch.name}`, { source_branch_id: branch.id, source_timestamp: at });
}

/**
 * Replaces the data of a branch with that of a source. The computes, and thereby the connection strings, stay.
 *
 * @returns the name of the branch that keeps the replaced data.
 */
async function replace(
  neon: NeonProject,
  branch: NeonBranch,
  what: string,
  source: { source_branch_id: string; source_timestamp?: string },
): Promise<string> {
  const kept = keptName((await ours(neon)).map(shortName));
  const { operations } = await neon.ask((api) =>
    api.restoreProjectBranch(neon.id, branch.id, { ...source, preserve_under_name: prefix + kept }),
  );
  await neon.finished(what, operations);
  return kept;
}

/** Finds the branch whose compute has the host name of the target's connection string. */
async function branchOfTarget({ ownerUrl }: Target, neon: NeonProject): Promise<NeonBranch> {
  const { hostname } = new URL(ownerUrl);
  const { endpoints } = await neon.ask((api) => api.listProjectEndpoints(neon.id));
  const endpoint = endpoints.find(({ host }) => host === hostname);
  if (!endpoint) {
    throw new UsageError(
      `Neon project ${neon.id} has no compute ${hostname}. Set DATABASE_URL_DIRECT and NEON_PROJECT_ID to the same project, or unset NEON_API_KEY.`,
    );
  }
  return (await neon.ask((api) => api.getProjectBranch(neon.id, endpoint.branch_id))).branch;
}

/** Creates a compute unless the branch has one. A branch that keeps replaced data has none, and cannot be connected to. */
async function demandCompute(neon: NeonProject, { id, name }: NeonBranch): Promise<void> {
  const { endpoints } = await neon.ask((api) => api.listProjectEndpoints(neon.id));
  if (endpoints.some(({ branch_id, type }) => branch_id === id && type === readWrite)) return;
  const endpoint = { branch_id: id, type: readWrite };
  const { operations } = await neon.ask((api) => api.createProjectEndpoint(neon.id, { endpoint }));
  await neon.finished(`Creating a compute for ${name}`, operations);
}

async function urls(target: Target, neon: NeonProject, branch: NeonBranch): Promise<BranchUrls> {
  await demandCompute(neon, branch);
  const uri = async (role: string, pooled: boolean) => {
    const query = {
      projectId: neon.id,
      branch_id: branch.id,
      database_name: databaseOf(target.ownerUrl),
      role_name: role,
      pooled,
    };
    return (await neon.ask((api) => api.getConnectionUri(query))).uri;
  };
  const [owner, authenticator, listen, admin] = await Promise.all([
    uri('hedgerow_owner', false),
    uri('hedgerow_authenticator', true),
    uri('hedgerow_authenticator', false),
    target.adminUrl && uri(decodeURIComponent(new URL(target.adminUrl).username), false),
  ]);
  return { owner, authenticator, listen, admin };
}

function describe(branch: NeonBranch, known: NeonBranch[]): Branch {
  const { parent_id, created_at, created_by, logical_size } = branch;
  return {
    name: shortName(branch),
    of: known.find(({ id }) => id === parent_id)?.name ?? parent_id ?? '',
    createdAt: created_at,
    by: created_by?.name,
    bytes: logical_size,
  };
}
