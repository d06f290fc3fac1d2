/** Places by path from the packed form are the places that the tree itself gives. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { locate, locateKey, spansOf } from '../../agent/manifest/spans.ts'
import { childOf, type Path, type Span, type TreeNode } from '../../agent/manifest/tree.ts'

const span = fc.tuple(fc.nat(500), fc.nat(40)).map(([start, length]) => ({ start, end: start + length }))
const key = fc.constantFrom('a', 'b', 'c', '0', '1', '__proto__', 'constructor', '')
const { node } = fc.letrec<{ node: TreeNode }>(tie => ({
  node: fc.oneof(
    { maxDepth: 4 },
    span.map(at => ({ ...at, kind: 'scalar' as const, value: null, plain: '' })),
    fc.tuple(span, fc.array(fc.tuple(key, span, tie('node')), { maxLength: 5 })).map(([at, entries]) => ({
      ...at,
      kind: 'map' as const,
      entries: new Map(entries.map(([name, place, value]) => [name, { key: place, value }])),
    })),
    fc
      .tuple(span, fc.array(tie('node'), { maxLength: 5 }))
      .map(([at, items]) => ({ ...at, kind: 'sequence' as const, items })),
  ),
}))
const path: fc.Arbitrary<Path> = fc.array(fc.oneof(key, fc.integer({ min: -1, max: 5 }), fc.constant('x')), {
  maxLength: 5,
})

/** By walking the tree, step by step. */
function bySteps(root: TreeNode, steps: Path): { span: Span; path: Path } {
  const shown = (at: TreeNode, name: Span | undefined): Span => {
    if (at.kind === 'scalar') return at.start === at.end && name !== undefined ? name : { start: at.start, end: at.end }
    if (name !== undefined) return name
    const first = at.kind === 'map' ? [...at.entries.values()][0]?.key : undefined
    return first ?? { start: at.start, end: at.start + 1 }
  }
  let at = root
  let name: Span | undefined
  for (const [depth, step] of steps.entries()) {
    const next = childOf(at, step)
    if (next === undefined) return { span: shown(at, name), path: steps.slice(0, depth) }
    name = at.kind === 'map' ? at.entries.get(String(step))?.key : undefined
    at = next
  }
  return { span: shown(at, name), path: steps }
}

test('of a value, of a key, of what is not there', () => {
  fc.assert(
    fc.property(node, path, (root, steps) => {
      const spans = spansOf(root)
      expect(locate(spans, steps)).toEqual(bySteps(root, steps))
      const parent = steps.slice(0, -1).reduce<TreeNode | undefined>((at, step) => childOf(at, step), root)
      const entry = steps.length > 0 && parent?.kind === 'map' ? parent.entries.get(String(steps.at(-1))) : undefined
      expect(locateKey(spans, steps)).toEqual(entry ? { span: entry.key, path: steps } : bySteps(root, steps))
    }),
    { numRuns: 3_000 },
  )
})
