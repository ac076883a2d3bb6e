// Grafast reads this once, when it is imported, and warns where it is not set. Its development mode checks the code of
// plugins; the errors that it would add to answers are not for tenants.
process.env.GRAPHILE_ENV ??= 'production';
