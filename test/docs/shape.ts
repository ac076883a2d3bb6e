type JsonObject = { [key: string]: Json };
type Json = null | boolean | number | string | Json[] | JsonObject;

const more = '…';
const time = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** Reads JSON in which `…` at the end of an object or a list means that there is more. */
export function parseExample(text: string): JsonObject {
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|…(\s*\})?/g, (token, brace) =>
      token.startsWith('"') ? token : brace ? `"${more}": true}` : `"${more}"`,
    ),
  );
}

/**
 * Where an answer is not as a page shows it, one line for each place. Objects have the same keys. Strings with `…` in
 * them and times may be others, of their kind; everything else is equal.
 */
export function differences(shown: Json, answer: Json, path = '$'): string[] {
  if (Array.isArray(shown)) {
    if (!Array.isArray(answer)) return [`${path} is not a list`];
    const items = shown.filter((item) => item !== more);
    const enough = items.length === shown.length ? answer.length === items.length : answer.length >= items.length;
    if (!enough) return [`${path} has ${answer.length} items, shown are ${items.length}`];
    return items.flatMap((item, index) => differences(item, answer[index] as Json, `${path}[${index}]`));
  }
  if (shown !== null && typeof shown === 'object') {
    if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) return [`${path} is not an object`];
    const missing = Object.keys(shown).filter((key) => key !== more && !(key in answer));
    const extra = more in shown ? [] : Object.keys(answer).filter((key) => !(key in shown));
    return [
      ...missing.map((key) => `${path}.${key} is not there`),
      ...extra.map((key) => `${path}.${key} is not shown`),
      ...Object.entries(shown)
        .filter(([key]) => key in answer)
        .flatMap(([key, value]) => differences(value, answer[key] as Json, `${path}.${key}`)),
    ];
  }
  if (typeof shown === 'string' && typeof answer === 'string') {
    if (shown.includes(more)) return [];
    if (time.test(shown)) return time.test(answer) ? [] : [`${path} is no time`];
  }
  return shown === answer ? [] : [`${path} is ${JSON.stringify(answer)}, shown is ${JSON.stringify(shown)}`];
}
