/**
 * Names that live decisions know: domains managed here, and what the operator calls national. Looked up from the right,
 * letter by letter, so that one pass over a host finds it and every name that it is below, and cuts out no text. Pure.
 */

export type Hosts = {
  /** Open addressing, a power of two pairs, at most half full: the hash of a name, and its number and one, or 0. */
  readonly slots: Int32Array
  readonly names: readonly string[]
  /** By number: the managed domain's own number, or -1. */
  readonly domains: Int32Array
  /** By number: `itself` for a name that is national, `below` for one below which all are, too. */
  readonly national: Uint8Array
}

const itself = 1
const below = 2
const dot = 46

/** @param domains in the order of their numbers. */
export function buildHosts(
  domains: readonly string[],
  national: { readonly suffixes: Iterable<string>; readonly domains: Iterable<string> },
): Hosts {
  const rows = new Map<string, { domain: number; national: number }>()
  const rowOf = (name: string) => {
    const known = rows.get(name) ?? { domain: -1, national: 0 }
    rows.set(name, known)
    return known
  }
  for (const [number, name] of domains.entries()) rowOf(name).domain = number
  for (const name of national.domains) rowOf(name).national |= itself
  for (const name of national.suffixes) rowOf(name).national |= itself | below
  const names = [...rows.keys()]
  const pairs = 2 ** Math.ceil(Math.log2(Math.max(2, names.length * 2)))
  const slots = new Int32Array(pairs * 2)
  for (const [number, name] of names.entries()) {
    let hash = seed
    for (let at = name.length - 1; at >= 0; at -= 1) hash = mix(hash, name.charCodeAt(at))
    let slot = (hash * 2) & (slots.length - 2)
    while (slots[slot + 1] !== 0) slot = (slot + 2) & (slots.length - 2)
    slots[slot] = hash
    slots[slot + 1] = number + 1
  }
  const all = [...rows.values()]
  return {
    slots,
    names,
    domains: Int32Array.from(all, ({ domain }) => domain),
    national: Uint8Array.from(all, row => row.national),
  }
}

/** What `findHost` found: read it before it is called again. */
export type FoundHost = { domain: number; isNational: boolean }
const found: FoundHost = { domain: -1, isNational: false }

/**
 * @param text an address or a host, the host in canonical form.
 * @param from where the host begins.
 * @returns the number of the managed domain, or -1; and whether the host is, or is below, what is national. Whole labels
 * from the right: `x.cult` and `cu.evil.com` are not below `cu`.
 */
export function findHost(hosts: Hosts, text: string, from: number): FoundHost {
  let hash = seed
  let isNational = false
  for (let at = text.length - 1; at >= from; at -= 1) {
    const code = text.charCodeAt(at)
    if (code === dot && !isNational) {
      const number = find(hosts, hash, text, at + 1)
      if (number >= 0 && (hosts.national[number]! & below) !== 0) isNational = true
    }
    hash = mix(hash, code)
  }
  const number = find(hosts, hash, text, from)
  found.domain = number < 0 ? -1 : hosts.domains[number]!
  found.isNational = isNational || (number >= 0 && hosts.national[number] !== 0)
  return found
}

// FNV-1a.
const seed = 0x811c9dc5 | 0
const mix = (hash: number, code: number) => Math.imul(hash ^ code, 0x01000193)

function find({ slots, names }: Hosts, hash: number, text: string, from: number): number {
  const last = slots.length - 2
  for (let slot = (hash * 2) & last; ; slot = (slot + 2) & last) {
    const number = slots[slot + 1]! - 1
    if (number < 0) return -1
    if (slots[slot] === hash && isText(names[number]!, text, from)) return number
  }
}

function isText(name: string, text: string, from: number): boolean {
  if (text.length - from !== name.length) return false
  for (let at = 0; at < name.length; at += 1) if (name.charCodeAt(at) !== text.charCodeAt(from + at)) return false
  return true
}
