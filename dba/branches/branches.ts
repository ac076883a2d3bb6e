import type { Target } from '../../postgres/target/target.ts';
import { neonBranches } from '../neon/branches.ts';
import { neonProject } from '../neon/project.ts';
import type { Branches } from './branch.ts';
import { postgresBranches } from './postgres.ts';

/**
 * Opens the branches of `target`: Neon branches if NEON_API_KEY and NEON_PROJECT_ID are set, otherwise databases on the
 * same Postgres.
 */
export function openBranches(target: Target, env: NodeJS.ProcessEnv = process.env): Branches {
  const neon = neonProject(env);
  return neon ? neonBranches(target, neon) : postgresBranches(target, env);
}

/** Returns the branch as a target, which the functions of other subcommands accept. */
export async function branchTarget(branches: Branches, name: string): Promise<Target> {
  const { owner, authenticator, admin } = await branches.urls(name);
  return {
    name: `branch ${name} of ${branches.parent}`,
    ownerUrl: owner,
    serverUrl: authenticator,
    adminUrl: admin,
    shadowUrl: undefined,
    close: async () => {},
  };
}
