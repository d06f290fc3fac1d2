/** The tree against RFC 6962's own definition, written a second time without cleverness, and the CT project's vectors. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  consistencyPath,
  emptyFrontier,
  type Hash,
  inclusionPath,
  leafHash,
  nodeHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
  withLeaf,
} from '../../agent/register/tree.ts'
import { naiveRoot } from '../conformance/register.suite.ts'

const sizesMax = 130
const contents = Array.from({ length: sizesMax }, (_, index) => Buffer.from(`leaf ${index}`))
const leaves = contents.map(leafHash)
const leafAt = (index: number): Hash => leaves[index] as Hash
const roots = Array.from({ length: sizesMax + 1 }, (_, size) => naiveRoot(contents.slice(0, size)))
const rootAt = (size: number): Hash => roots[size] as Hash
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const split = (size: number) => {
  let largest = 1
  while (largest * 2 < size) largest *= 2
  return largest
}

/** RFC 6962 section 2.1.1: PATH(m, D[n]). */
function naivePath(index: number, list: readonly Buffer[]): Buffer[] {
  if (list.length === 1) return []
  const k = split(list.length)
  return index < k
    ? [...naivePath(index, list.slice(0, k)), naiveRoot(list.slice(k))]
    : [...naivePath(index - k, list.slice(k)), naiveRoot(list.slice(0, k))]
}

/** RFC 6962 section 2.1.2: SUBPROOF(m, D[n], b). */
function naiveSubproof(old: number, list: readonly Buffer[], known: boolean): Buffer[] {
  if (old === list.length) return known ? [] : [naiveRoot(list)]
  const k = split(list.length)
  return old <= k
    ? [...naiveSubproof(old, list.slice(0, k), known), naiveRoot(list.slice(k))]
    : [...naiveSubproof(old - k, list.slice(k), false), naiveRoot(list.slice(0, k))]
}

test('leaf and node have their prefixes', () => {
  const plain = createHash('sha256').update(Buffer.of(0, 65)).digest('hex')
  expect(hex(leafHash(Buffer.from('A')))).toBe(plain)
  const [a, b] = [leafAt(0), leafAt(1)]
  expect(hex(nodeHash(a, b))).toBe(
    createHash('sha256')
      .update(Buffer.concat([Buffer.of(1), a, b]))
      .digest('hex'),
  )
})

test("the eight leaves of Certificate Transparency's test vectors", () => {
  const vectors = [
    ['', '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
    ['00', 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
    ['10', 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
    ['2021', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'],
    ['3031', '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
    ['40414243', '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'],
    ['5051525354555657', 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
    ['606162636465666768696a6b6c6d6e6f', '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
  ] as const
  let frontier = emptyFrontier
  expect(hex(rootOf(frontier))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  for (const [leaf, root] of vectors) {
    frontier = withLeaf(frontier, leafHash(Buffer.from(leaf, 'hex')))
    expect(hex(rootOf(frontier))).toBe(root)
  }
})

test('the frontier has the root of the naive tree at every size', () => {
  let frontier = emptyFrontier
  for (let size = 0; size < sizesMax; size++) {
    expect([size, hex(rootOf(frontier))]).toEqual([size, hex(rootAt(size))])
    expect(frontier.peaks.length).toBe(size.toString(2).replaceAll('0', '').length)
    frontier = withLeaf(frontier, leafAt(size))
  }
})

/** Another value in the same form, for everything that a proof consists of. */
const other = (bytes: Hash): Hash => Buffer.from(bytes).map((byte, place) => (place === 7 ? byte ^ 4 : byte))

describe('inclusion', () => {
  test('every leaf of every size has the path of the RFC and verifies', () => {
    for (let size = 1; size <= sizesMax; size++)
      for (let index = 0; index < size; index++) {
        const path = inclusionPath(index, size, leafAt)
        if (size < 40 || index % 7 === 0) {
          const naive = naivePath(index, contents.slice(0, size))
          expect([index, size, path.map(hex)]).toEqual([index, size, naive.map(hex)])
        }
        if (!verifyInclusion(index, size, leafAt(index), path, rootAt(size))) expect([index, size]).toBe('verified')
      }
  })

  test('nothing else verifies', () => {
    for (const size of [1, 2, 3, 7, 8, 9, 64, 65, 127, 130])
      for (let index = 0; index < size; index += 3) {
        const path = inclusionPath(index, size, leafAt)
        const root = rootAt(size)
        const leaf = leafAt(index)
        const wrong: [number, number, Hash, readonly Hash[], Hash][] = [
          [index, size, other(leaf), path, root],
          [index, size, leaf, path, other(root)],
          [index, size, leaf, [...path, root], root],
          [index + size, size, leaf, path, root],
          [-1, size, leaf, path, root],
          [index + 0.5, size, leaf, path, root],
          [size, size, leaf, path, root],
        ]
        for (const at of path.keys()) {
          wrong.push([index, size, leaf, path.toSpliced(at, 1), root])
          wrong.push([index, size, leaf, path.with(at, other(path[at] as Hash)), root])
          wrong.push([index, size, leaf, path.with(at, (path[at] as Hash).subarray(1)), root])
        }
        // The place must be right, too: a leaf proves nothing about its neighbour's index.
        for (const near of [index - 1, index + 1])
          if (near >= 0 && near < size) wrong.push([near, size, leaf, path, root])
        for (const args of wrong) expect(verifyInclusion(...args)).toBe(false)
      }
  })
})

describe('consistency', () => {
  test('every pair of sizes has the proof of the RFC and verifies', () => {
    for (let size = 0; size <= sizesMax; size++)
      for (let old = 0; old <= size; old++) {
        const path = consistencyPath(old, size, leafAt)
        if (old > 0 && (size < 40 || old % 11 === 0))
          expect([old, size, path.map(hex)]).toEqual([
            old,
            size,
            naiveSubproof(old, contents.slice(0, size), true).map(hex),
          ])
        if (!verifyConsistency({ size: old, root: rootAt(old) }, { size, root: rootAt(size) }, path))
          expect([old, size]).toBe('verified')
      }
  })

  test('nothing else verifies', () => {
    for (const size of [1, 2, 3, 8, 9, 64, 65, 130])
      for (let old = 0; old <= size; old += 1) {
        const path = consistencyPath(old, size, leafAt)
        const older = { size: old, root: rootAt(old) }
        const newer = { size, root: rootAt(size) }
        const wrong: Parameters<typeof verifyConsistency>[] = [
          [{ ...older, root: other(older.root) }, newer, path],
          [older, newer, [...path, newer.root]],
          [{ ...older, size: -1 }, newer, path],
          [{ ...older, size: size + 1 }, newer, path],
        ]
        // An empty tree is a prefix of any, so a proof for it says nothing about the newer root.
        if (old > 0) wrong.push([older, { ...newer, root: other(newer.root) }, path])
        for (const at of path.keys()) {
          wrong.push([older, newer, path.toSpliced(at, 1)])
          wrong.push([older, newer, path.with(at, other(path[at] as Hash))])
        }
        for (const args of wrong) expect([old, size, verifyConsistency(...args)]).toEqual([old, size, false])
      }
  })
})
