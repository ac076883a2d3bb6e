// Grafast reads this once, when it is imported, and warns where it is not set. Its development mode checks the code of
// plugins; the errors that it would add to answers are not for tenants.
process.env.GRAPHILE_ENV ??= 'production';

// Grafast aborts a signal at the end of every operation, without a reason, and Node then makes a DOMException with a
// stack: a sixth of the time of a short request. One exception serves them all.
const finished = new DOMException('This operation was aborted', 'AbortError');
const { abort } = AbortController.prototype;
AbortController.prototype.abort = function (reason: unknown = finished) {
  abort.call(this, reason);
};
