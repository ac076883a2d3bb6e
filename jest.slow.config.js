import config from './jest.config.js';

/** The tests that `npm test` leaves out. `bash .ci/run` runs both. */
export default {
  ...config,
  testMatch: ['<rootDir>/test/**/*.slow.test.ts'],
  testPathIgnorePatterns: [],
  // A core for each of two: with three, requests of the leak test passed their deadlines on a busy machine.
  maxWorkers: 2,
};
