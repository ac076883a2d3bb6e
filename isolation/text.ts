export const escapeRegExp = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** A name of SQL without its schema and its quotes. */
export const bareName = (name: string) => (/("[^"]+"|[^."]+)$/.exec(name)?.[0] ?? name).replaceAll('"', '');
