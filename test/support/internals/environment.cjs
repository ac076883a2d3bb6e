const { TestEnvironment } = require('jest-environment-node');

/**
 * Runs tests in the global scope of jest's worker instead of a new one. The packages of runtime.cjs, which the files of a
 * worker share, then have the same `Error` and `Array` as the tests. `teardown` restores the globals for the next file.
 */
module.exports = class SharedScopeEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.global = globalThis;
    const FakeTimers = this.fakeTimersModern.constructor;
    this.fakeTimersModern = new FakeTimers({ config: config.projectConfig, global: globalThis });
    this.before = {
      globals: Object.getOwnPropertyDescriptors(globalThis),
      env: { ...process.env },
      exit: process.exit,
    };
  }

  async teardown() {
    const { globals, env, exit } = this.before;
    // Other symbols belong to the packages, which stay loaded.
    Reflect.deleteProperty(globalThis, Symbol.for('EVENT_HANDLERS'));
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      if (!Object.hasOwn(globals, name)) Reflect.deleteProperty(globalThis, name);
    }
    for (const name of Object.getOwnPropertyNames(globals)) {
      const { configurable, value } = globals[name];
      const isChanged = Object.getOwnPropertyDescriptor(globalThis, name)?.value !== value;
      if (configurable && isChanged) Object.defineProperty(globalThis, name, globals[name]);
    }
    for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name];
    Object.assign(process.env, env);
    process.exit = exit;
    await super.teardown();
  }
};
