export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': './test/support/stripTypes.cjs' },
  globalSetup: './test/support/globalSetup.ts',
  globalTeardown: './test/support/globalTeardown.ts',
  // Argon2 and a database each: two files at a time on two cores.
  maxWorkers: 2,
  testTimeout: 30_000,
};
