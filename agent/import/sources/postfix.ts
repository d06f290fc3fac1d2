/**
 * Tables of Postfix as text (postmap(1), virtual(5), transport(5)): what `postmap -s` prints of any type, or the file
 * that the table was made of. To domains, mailboxes and aliases. It never throws; what is no alias of one mailbox is
 * reported. Pure.
 */
import {
  type Address,
  type DomainName,
  domainOf,
  localpartOf,
  parseAddress,
  parseDomainName,
} from '../../model/name.ts'
import type { ImportedAccount, ImportedDomain, ImportedEstate, Left, LeftReason } from '../estate.ts'

export type PostfixMap = { readonly file: string; readonly text: string }

export type PostfixMaps = {
  /** virtual_mailbox_domains, and relay_domains when there is a transport. */
  readonly domains: PostfixMap
  readonly mailboxes?: PostfixMap
  readonly aliases?: PostfixMap
  readonly transport?: PostfixMap
}

type Row = { readonly where: string; readonly key: string; readonly value: string }

const leftMax = 1_000 // reported; a file that is no table has as many faults as lines
const stepsMax = 20 // from alias to alias; Postfix itself follows more only in loops

/** Logical lines: comments and blank lines apart, a line that begins with white space goes on the one before. */
export function readMap({ file, text }: PostfixMap): Row[] {
  const rows: { line: number; text: string }[] = []
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const last = rows.at(-1)
    if (!/^\s/.test(line)) rows.push({ line: index + 1, text: line })
    else if (last !== undefined) last.text += ` ${line.trim()}`
  }
  return rows.map(({ line, text }) => {
    const [, quoted, bare, value = ''] = /^(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*(.*)$/s.exec(text) ?? []
    return { where: `${file}:${line}`, key: (quoted ?? bare ?? '').toLowerCase(), value: value.trim() }
  })
}

export function readPostfix(maps: PostfixMaps): ImportedEstate {
  const left: Left[] = []
  const leave = ({ where }: Row, what: string, reason: LeftReason) => {
    if (left.length < leftMax) left.push({ where, what: what.slice(0, 200), reason })
  }
  const names = new Set<DomainName>()
  for (const row of readMap(maps.domains)) {
    const name = parseDomainName(row.key)
    if (name === undefined) leave(row, row.key, 'name')
    else names.add(name)
  }
  const hops = readTransport(maps.transport, names, leave)
  const mailboxes = new Map<Address, Row>()
  for (const row of maps.mailboxes === undefined ? [] : readMap(maps.mailboxes)) {
    const address = parseAddress(row.key)
    if (address === undefined) leave(row, row.key, 'name')
    else if (!names.has(domainOf(address))) leave(row, row.key, 'outside')
    else if (mailboxes.has(address)) leave(row, row.key, 'taken')
    else mailboxes.set(address, row)
  }
  const { aliases, collectors } = readAliases(maps.aliases, names, mailboxes, leave)
  const domains = [...names].map((name): ImportedDomain => {
    const hop = hops.get(name)
    const collector = hop === undefined ? (collectors.get(name) ?? null) : null
    const delivery = hop !== undefined ? 'relay' : collector !== null ? 'multipop' : null
    return { name, institution: null, delivery, nextHop: hop ?? null, status: 'active', collector }
  })
  const accounts = [...mailboxes].map(
    ([address, { where }]): ImportedAccount => ({
      address,
      role: collectors.get(domainOf(address)) === localpartOf(address) ? 'collector' : 'user',
      status: 'active',
      aliases: aliases.get(address) ?? [],
      quotaBytes: null,
      allowNets: undefined,
      holder: {},
      where,
    }),
  )
  return { dns: [], domains, accounts, standing: [], left }
}

type Leave = (row: Row, what: string, reason: LeftReason) => void

/** `smtp:[host]`, `relay:host`: port 25 only, since a manifest has no place for another. */
function readTransport(
  map: PostfixMap | undefined,
  names: ReadonlySet<DomainName>,
  leave: Leave,
): ReadonlyMap<DomainName, string> {
  const hops = new Map<DomainName, string>()
  for (const row of map === undefined ? [] : readMap(map)) {
    const name = parseDomainName(row.key)
    if (name === undefined || !names.has(name)) {
      leave(row, `${row.key} ${row.value}`, 'outside')
      continue
    }
    const [, host] = /^(?:smtp|relay):(\[[^\]\s]+\]|[^:[\]\s]+)(?::(?:25|smtp))?$/i.exec(row.value) ?? []
    const bare = host?.replace(/^\[|\]$/g, '')
    // `[mail.example]` is a host without a look-up of its MX, which is what a next hop is anyway.
    if (host === undefined || bare === undefined) leave(row, `${row.key} ${row.value}`, 'unknown')
    else hops.set(name, parseDomainName(bare) ?? `[${bare}]`)
  }
  return hops
}

function readAliases(
  map: PostfixMap | undefined,
  names: ReadonlySet<DomainName>,
  mailboxes: ReadonlyMap<Address, Row>,
  leave: Leave,
): { readonly aliases: ReadonlyMap<Address, string[]>; readonly collectors: ReadonlyMap<DomainName, string> } {
  const aliases = new Map<Address, string[]>()
  const collectors = new Map<DomainName, string>()
  const rows = map === undefined ? [] : readMap(map)
  const targets = new Map(rows.map(row => [row.key, row.value]))
  /** The one mailbox that an address ends at. */
  const resolve = (text: string): Address | LeftReason => {
    let at = text
    for (let step = 0; step < stepsMax; step += 1) {
      const parts = at.split(/[\s,]+/).filter(Boolean)
      if (parts.length !== 1) return 'several'
      const address = parseAddress(parts[0] ?? '')
      if (address === undefined) return 'name'
      if (!names.has(domainOf(address))) return 'forward'
      const next = targets.get(address)
      if (mailboxes.has(address) && (next === undefined || next.toLowerCase() === address)) return address
      if (next === undefined) return 'unresolved'
      at = next
    }
    return 'unresolved'
  }
  for (const row of rows) {
    const what = `${row.key} ${row.value}`
    const domain = row.key.startsWith('@') ? parseDomainName(row.key.slice(1)) : undefined
    const alias = domain === undefined ? parseAddress(row.key) : undefined
    const within = domain ?? (alias === undefined ? undefined : domainOf(alias))
    if (within === undefined || !names.has(within)) {
      leave(row, what, within === undefined ? 'name' : 'outside')
      continue
    }
    if (row.value.toLowerCase() === row.key) continue
    const target = resolve(row.value)
    if (!target.includes('@')) leave(row, what, target as LeftReason)
    else if (domainOf(target as Address) !== within) leave(row, what, 'forward')
    // All of a domain into one mailbox is what a collector is for.
    else if (alias === undefined) collectors.set(within, localpartOf(target as Address))
    else if (mailboxes.has(alias)) leave(row, what, 'forward')
    else aliases.set(target as Address, [...(aliases.get(target as Address) ?? []), localpartOf(alias)])
  }
  return { aliases, collectors }
}
