const { default: Sequencer } = require('@jest/test-sequencer');

/** Starts the runs of the prover first. Jest cannot know, without a cache, that these short files take longest. */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const isProver = ({ path }) => /[\\/]test[\\/]isolation[\\/]/.test(path);
    const sorted = super.sort(tests);
    return [...sorted.filter(isProver), ...sorted.filter((test) => !isProver(test))];
  }
};
