/**
 * The Merkle tree of the register: RFC 6962 section 2 (RFC 9162 section 2.1 for the two verifiers). Pure functions over
 * 32-byte hashes; nothing here reads a store. A frontier is all that appending needs; proofs need the leaf hashes.
 */
import { hash } from 'node:crypto'
import { assert } from '../core/assert.ts'

export type Hash = Uint8Array

/** Roots of the complete subtrees that a tree of `size` leaves falls into, the largest first. */
export type Frontier = { readonly size: number; readonly peaks: readonly Hash[] }

/** The leaf hash at an index; the caller keeps them wherever it likes. */
export type LeafAt = (index: number) => Hash

export const hashBytes = 32
export const emptyFrontier: Frontier = { size: 0, peaks: [] }

/** RFC 6962 section 2.1: the prefix 0x00 keeps a leaf from being taken for a node. */
export function leafHash(bytes: Uint8Array): Hash {
  const prefixed = Buffer.allocUnsafe(bytes.length + 1)
  prefixed[0] = 0
  prefixed.set(bytes, 1)
  return hash('sha256', prefixed, 'buffer')
}

export function nodeHash(left: Hash, right: Hash): Hash {
  const prefixed = Buffer.allocUnsafe(2 * hashBytes + 1)
  prefixed[0] = 1
  prefixed.set(left, 1)
  prefixed.set(right, hashBytes + 1)
  return hash('sha256', prefixed, 'buffer')
}

export function sameHash(a: Hash, b: Hash): boolean {
  return Buffer.compare(a, b) === 0
}

/** The frontier after one more leaf. */
export function withLeaf(frontier: Frontier, leaf: Hash): Frontier {
  const peaks = frontier.peaks.slice()
  let top = leaf
  // Each trailing 1 bit of the size is a complete subtree that the new leaf completes to the next larger one.
  for (let rest = frontier.size; rest % 2 === 1; rest = (rest - 1) / 2) top = nodeHash(peaks.pop() as Hash, top)
  peaks.push(top)
  return { size: frontier.size + 1, peaks }
}

/** RFC 6962 section 2.1: the root of the empty tree is the hash of nothing. */
export function rootOf(frontier: Frontier): Hash {
  const last = frontier.peaks.at(-1)
  if (last === undefined) return hash('sha256', '', 'buffer')
  return frontier.peaks.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last)
}

function rangeRoot(leafAt: LeafAt, from: number, to: number): Hash {
  let frontier = emptyFrontier
  for (let index = from; index < to; index++) frontier = withLeaf(frontier, leafAt(index))
  return rootOf(frontier)
}

/** The largest power of two below `size`, which is at least 2. Sizes pass 2^31, so no bit operators. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** RFC 6962 section 2.1.1: the audit path of leaf `index` in the tree of the first `size` leaves, leaf side first. */
export function inclusionPath(index: number, size: number, leafAt: LeafAt): Hash[] {
  assert(index >= 0 && index < size, `no leaf ${index} in a tree of ${size}`)
  const path: Hash[] = []
  let from = 0
  let to = size
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    if (index < middle) {
      path.push(rangeRoot(leafAt, middle, to))
      to = middle
    } else {
      path.push(rangeRoot(leafAt, from, middle))
      from = middle
    }
  }
  return path.reverse()
}

/** RFC 6962 section 2.1.2: that the tree of `oldSize` leaves is a prefix of the tree of `size` leaves. Empty for 0 and for equal sizes. */
export function consistencyPath(oldSize: number, size: number, leafAt: LeafAt): Hash[] {
  assert(oldSize >= 0 && oldSize <= size, `no tree of ${oldSize} in a tree of ${size}`)
  if (oldSize === 0 || oldSize === size) return []
  const path: Hash[] = []
  let from = 0
  let to = size
  // The old tree's own root is known to the verifier for as long as the walk stays at its left edge.
  let known = true
  while (oldSize !== to) {
    const middle = from + splitOf(to - from)
    if (oldSize <= middle) {
      path.push(rangeRoot(leafAt, middle, to))
      to = middle
    } else {
      path.push(rangeRoot(leafAt, from, middle))
      from = middle
      known = false
    }
  }
  if (!known) path.push(rangeRoot(leafAt, from, to))
  return path.reverse()
}

const half = (value: number): number => Math.floor(value / 2)

/** RFC 9162 section 2.1.3.2. */
export function verifyInclusion(index: number, size: number, leaf: Hash, path: readonly Hash[], root: Hash): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false
  let node = index
  let last = size - 1
  let top = leaf
  for (const sibling of path) {
    if (last === 0 || sibling.length !== hashBytes) return false
    if (node % 2 === 1 || node === last) {
      top = nodeHash(sibling, top)
      while (node % 2 === 0 && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      top = nodeHash(top, sibling)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0 && sameHash(top, root)
}

/** RFC 9162 section 2.1.4.2. A tree of no leaves is a prefix of every tree. */
export function verifyConsistency(
  older: { readonly size: number; readonly root: Hash },
  newer: { readonly size: number; readonly root: Hash },
  path: readonly Hash[],
): boolean {
  if (!Number.isSafeInteger(older.size) || !Number.isSafeInteger(newer.size)) return false
  if (older.size < 0 || older.size > newer.size) return false
  if (older.size === newer.size) return path.length === 0 && sameHash(older.root, newer.root)
  if (older.size === 0) return path.length === 0 && sameHash(older.root, rootOf(emptyFrontier))
  let node = older.size - 1
  let last = newer.size - 1
  while (node % 2 === 1) {
    node = half(node)
    last = half(last)
  }
  // Where the old size is a power of two the walk ended at its root, which the verifier has already.
  const hashes = node === 0 ? [older.root, ...path] : path
  const [first, ...rest] = hashes
  if (first === undefined || hashes.some(each => each.length !== hashBytes)) return false
  let oldTop = first
  let newTop = first
  for (const sibling of rest) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      oldTop = nodeHash(sibling, oldTop)
      newTop = nodeHash(sibling, newTop)
      while (node % 2 === 0 && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      newTop = nodeHash(newTop, sibling)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0 && sameHash(oldTop, older.root) && sameHash(newTop, newer.root)
}
