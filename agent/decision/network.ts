/**
 * IP addresses and networks for live decisions: addresses as numbers, networks in tables by prefix length, so that a
 * look-up costs one step per length in use, not per network. RFC 4291 for the text of IPv6. Pure.
 */
import ipaddr from 'ipaddr.js'

/** IPv4 as a number, IPv6 as a bigint. IPv4-mapped IPv6 is IPv4. */
export type Ip = number | bigint

/** An address as Postfix writes it; undefined for anything else (`unknown`, an empty text, a zone index, `010.0.0.1`). */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return v4
  if (!text.includes(':') || text.includes('%') || text.length > 45 || !ipaddr.IPv6.isValid(text)) return undefined
  const address = ipaddr.IPv6.parse(text)
  if (address.isIPv4MappedAddress()) return parseIpv4(address.toIPv4Address().toString())
  return address.parts.reduce((value, part) => (value << 16n) | BigInt(part), 0n)
}

function parseIpv4(text: string): number | undefined {
  let value = 0
  let part = -1
  let dots = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 46) {
      if (part < 0) return undefined
      value = value * 256 + part
      part = -1
      dots += 1
    } else {
      // A leading zero is octal to some readers, so it is an address to none.
      if (code < 48 || code > 57 || part === 0) return undefined
      part = (part < 0 ? 0 : part * 10) + code - 48
      if (part > 255) return undefined
    }
  }
  return dots === 3 && part >= 0 ? value * 256 + part : undefined
}

type Level<K, T> = { readonly length: number; readonly values: ReadonlyMap<K, readonly T[]> }

export type PrefixTable<T> = {
  readonly v4: readonly Level<number, T>[]
  readonly v6: readonly Level<bigint, T>[]
  readonly size: number
}

/** Networks are canonical CIDR, or single addresses. One that cannot be read matches nothing. */
export function buildPrefixTable<T>(entries: Iterable<readonly [network: string, value: T]>): PrefixTable<T> {
  const v4 = new Map<number, Map<number, T[]>>()
  const v6 = new Map<number, Map<bigint, T[]>>()
  let size = 0
  for (const [network, value] of entries) {
    const [addressText = '', lengthText] = network.split('/')
    const address = parseIp(addressText)
    if (address === undefined) continue
    const bits = typeof address === 'number' ? 32 : 128
    const length = lengthText === undefined ? bits : Number(lengthText)
    if (!Number.isInteger(length) || length < 0 || length > bits) continue
    if (typeof address === 'number') add(v4, length, maskV4(address, length), value)
    else add(v6, length, maskV6(address, length), value)
    size += 1
  }
  return { v4: levels(v4), v6: levels(v6), size }
}

function add<K, T>(table: Map<number, Map<K, T[]>>, length: number, key: K, value: T): void {
  const level = table.get(length) ?? new Map<K, T[]>()
  table.set(length, level)
  const values = level.get(key) ?? []
  level.set(key, values)
  values.push(value)
}

function levels<K, T>(table: ReadonlyMap<number, ReadonlyMap<K, readonly T[]>>): readonly Level<K, T>[] {
  return [...table].map(([length, values]) => ({ length, values })).sort((a, b) => b.length - a.length)
}

function maskV4(address: number, length: number): number {
  return length === 0 ? 0 : ((address >>> (32 - length)) << (32 - length)) >>> 0
}

function maskV6(address: bigint, length: number): bigint {
  const rest = BigInt(128 - length)
  return (address >> rest) << rest
}

export function contains(table: PrefixTable<unknown>, ip: Ip | undefined): boolean {
  if (typeof ip === 'number') {
    for (const { length, values } of table.v4) if (values.has(maskV4(ip, length))) return true
  } else if (ip !== undefined) {
    for (const { length, values } of table.v6) if (values.has(maskV6(ip, length))) return true
  }
  return false
}

const none: readonly never[] = []

/** Every value whose network contains the address, the longest prefix first. */
export function matchesOf<T>(table: PrefixTable<T>, ip: Ip | undefined): readonly T[] {
  let found: readonly T[] = none
  if (typeof ip === 'number') {
    for (const { length, values } of table.v4) found = joined(found, values.get(maskV4(ip, length)))
  } else if (ip !== undefined) {
    for (const { length, values } of table.v6) found = joined(found, values.get(maskV6(ip, length)))
  }
  return found
}

function joined<T>(found: readonly T[], more: readonly T[] | undefined): readonly T[] {
  if (more === undefined) return found
  return found.length === 0 ? more : [...found, ...more]
}
