/** A broken invariant is a bug in mailwarden: it ends the process (exit 70), it is never caught and carried on from. */
export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant'
}

export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new BrokenInvariant(claim)
}

/** For the end of an exhaustive `switch`. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unexpected ${JSON.stringify(value)}`)
}
