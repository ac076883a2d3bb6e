export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Endurance and flood tests: `npm run test:slow` runs them, with jest.slow.config.js.
  testPathIgnorePatterns: ['\\.slow\\.test\\.ts$'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': './test/support/stripTypes.cjs' },
  testEnvironment: './test/support/internals/environment.cjs',
  runtime: './test/support/internals/runtime.cjs',
  testSequencer: './test/support/internals/sequencer.cjs',
  globalSetup: './test/support/globalSetup.ts',
  globalTeardown: './test/support/globalTeardown.ts',
  // Three files at a time on two cores: some wait for a lock or a process, and the others have the cores meanwhile.
  maxWorkers: 3,
  // Generous: a test waits for conditions, and a loaded machine takes its time to reach them.
  testTimeout: 120_000,
};
