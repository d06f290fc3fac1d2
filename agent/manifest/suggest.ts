/** "Did you mean": the known word that is nearest to a wrong one. Pure. */

const lengthMax = 64 // longer words are not slips of the finger, and the table below grows with the square

/** Damerau-Levenshtein distance (optimal string alignment): insert, delete, replace, swap neighbours. */
export function distance(a: string, b: string): number {
  let previous: number[] = []
  let current = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row += 1) {
    const older = previous
    previous = current
    current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1]
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      )
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) best = Math.min(best, (older[column - 2] ?? 0) + 1)
      current.push(best)
    }
  }
  return current[b.length] ?? 0
}

const fold = (word: string) => word.toLowerCase().replaceAll(/[-_ ]/g, '')

/** The nearest known word, when it is near enough to be a slip: a third of its letters, at least one. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > lengthMax) return undefined
  const wanted = fold(word)
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) > 4 || candidate.length > lengthMax) continue
    const far = distance(wanted, fold(candidate))
    if (far < bestDistance) {
      best = candidate
      bestDistance = far
    }
  }
  return best !== undefined && bestDistance <= Math.max(1, Math.floor(best.length / 3)) ? best : undefined
}
