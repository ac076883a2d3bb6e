// Functions that graphile-migrate does not export. They read, hash and write migration files.
// docs/adr/0062-refuse-mistakes-in-migrations.md explains why they are needed. package.json pins its exact version, and
// test/postgres/internals.test.ts fails on any other.
export { calculateHash } from 'graphile-migrate/dist/hash.js';
export { isNoTransactionDefined } from 'graphile-migrate/dist/header.js';
export {
  compileIncludes,
  compilePlaceholders,
  parseMigrationText,
  serializeMigration,
} from 'graphile-migrate/dist/migration.js';
export { migrationFilenameMatches } from 'graphile-migrate/dist/migrationFilename.js';
export type { ParsedSettings } from 'graphile-migrate/dist/settings.js';
