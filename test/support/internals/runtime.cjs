const { createRequire } = require('node:module');
const { default: Runtime } = require('jest-runtime');

/**
 * Loads CommonJS packages, such as PostGraphile, once per worker with Node's own `require`. The modules of the project stay
 * jest's, so each test file has its own. jest alone compiles all packages again for each file, which costs more than most
 * tests, and V8 never gets to optimize them. Mocks of packages do not work.
 *
 * Needs environment.cjs.
 */
module.exports = class SharedPackagesRuntime extends Runtime {
  constructor(...args) {
    super(...args);
    if (typeof this.esmLoader?.getContext !== 'function') {
      throw new Error(
        'jest-runtime has changed: esmLoader.getContext is missing. Adapt test/support/internals/runtime.cjs.',
      );
    }
    // `undefined` is the scope of the worker.
    this.esmLoader.getContext = () => undefined;
  }

  /** jest replaces `process.getBuiltinModule`, but this scope has the real process. */
  installGetBuiltinModule() {}

  /** @param from the module itself if `name` is absent: jest-circus, which needs new state for each file. */
  requireInternalModule(from, name = from) {
    if (name === from) delete require.cache[from];
    return createRequire(from)(name);
  }

  requireModule(from, name = from) {
    return createRequire(from)(name);
  }

  requireModuleOrMock(from, name) {
    return createRequire(from)(name);
  }
};
