/**
 * Compares two descriptions by `describeSchema`. The result is a diff for people: the first line of each changed object,
 * followed by its removed lines (`-`) and its added lines (`+`).
 */
export function schemaDiff(before: string, after: string): string[] {
  const [old, now] = [objects(before), objects(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => {
    const [gone, come] = [old.get(name) ?? [], now.get(name) ?? []];
    const changed = [
      ...gone.filter((line) => !come.includes(line)).map((line) => `- ${line}`),
      ...come.filter((line) => !gone.includes(line)).map((line) => `+ ${line}`),
    ];
    const kept = gone.length > 0 && gone[0] === come[0];
    return changed.length === 0 ? [] : kept ? [`  ${gone[0]}`, ...changed] : changed;
  });
}

/** Groups the lines of a description by object. The key is kind and name, the start of the object's first line. */
function objects(text: string): Map<string, string[]> {
  return new Map(
    text
      .trimEnd()
      .split('\n\n')
      .map((block) => block.split('\n'))
      .map((lines) => [(lines[0] as string).split(/ returns | owner |: /, 1)[0] as string, lines]),
  );
}
