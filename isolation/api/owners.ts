/** Names under which an input could take whose a row is. */
const names = (id: string): Record<string, unknown> => ({
  ...{ userId: id, user_id: id, ownerId: id, nodeId: id },
  userByUserId: { connectById: { id } },
});

/** `input` with an owner in it, in turn by each name and in each object of it. */
export function* ownersOf(input: object, id: string): Generator<object> {
  for (const [name, value] of Object.entries(names(id))) if (!(name in input)) yield { ...input, [name]: value };
  for (const [key, inner] of Object.entries(input)) {
    const first = Array.isArray(inner) ? inner[0] : inner;
    if (typeof first !== 'object' || first === null) continue;
    for (const changed of ownersOf(first, id)) {
      yield { ...input, [key]: Array.isArray(inner) ? [changed, ...inner.slice(1)] : changed };
    }
  }
}
