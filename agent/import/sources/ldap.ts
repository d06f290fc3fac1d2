/**
 * Entries of two directory layouts that are met in the wild, iRedMail's and that of postfix-book.schema, to domains and
 * accounts. Passwords are not looked at. Pure.
 */
import { type Address, type DomainName, domainOf, parseAddress, parseDomainName } from '../../model/name.ts'
import type { ImportedAccount, ImportedDomain, ImportedEstate, ImportedHolder, Left, LeftReason } from '../estate.ts'
import { type LdifEntry, readLdif } from './ldif.ts'

export const ldapProfiles = ['iredmail', 'postfix-book'] as const
export type LdapProfile = (typeof ldapProfiles)[number]

type Layout = {
  readonly domainClass: string | null
  readonly accountClass: string
  /** Entries that are neither, and hold mail all the same. */
  readonly others: readonly string[]
  readonly aliases: string
  readonly quotaUnit: number
  readonly active: (entry: LdifEntry) => boolean
}

const layouts: Readonly<Record<LdapProfile, Layout>> = {
  iredmail: {
    domainClass: 'maildomain',
    accountClass: 'mailuser',
    others: ['maillist', 'mailalias', 'mailexternaluser'],
    aliases: 'shadowaddress',
    quotaUnit: 1,
    active: entry => textsOf(entry, 'accountstatus').every(status => status.toLowerCase() === 'active'),
  },
  'postfix-book': {
    domainClass: null,
    accountClass: 'postfixbookmailaccount',
    others: ['postfixbookmailforward'],
    aliases: 'mailalias',
    quotaUnit: 1024, // kilobytes, by the schema's own description
    active: entry => textsOf(entry, 'mailenabled').every(enabled => enabled.toUpperCase() === 'TRUE'),
  },
}

export function readLdapExport(text: string, profile: LdapProfile, file: string): ImportedEstate {
  const layout = layouts[profile]
  const { entries, faults } = readLdif(text)
  const left: Left[] = faults.map(({ line, what }) => ({ where: `${file}:${line}`, what, reason: 'syntax' }))
  const domains = new Map<DomainName, ImportedDomain>()
  const accounts: ImportedAccount[] = []
  for (const entry of entries) {
    const where = `${file}:${entry.line}`
    const leave = (what: string, reason: LeftReason) => left.push({ where, what: what.slice(0, 200), reason })
    const classes = textsOf(entry, 'objectclass').map(name => name.toLowerCase())
    if (layout.domainClass !== null && classes.includes(layout.domainClass)) readDomain(entry, layout, domains, leave)
    else if (classes.includes(layout.accountClass)) readAccount({ entry, layout, where, domains, accounts, leave })
    else if (layout.others.some(name => classes.includes(name))) leave(entry.dn, 'several')
  }
  return { dns: [], domains: [...domains.values()], accounts, standing: [], left }
}

type Leave = (what: string, reason: LeftReason) => void

function textsOf({ attributes }: LdifEntry, name: string): readonly string[] {
  return attributes.get(name) ?? []
}

function readDomain(entry: LdifEntry, layout: Layout, domains: Map<DomainName, ImportedDomain>, leave: Leave): void {
  const [text = ''] = textsOf(entry, 'domainname')
  const name = parseDomainName(text)
  if (name === undefined) return void leave(text, 'name')
  for (const alias of textsOf(entry, 'domainaliasname')) leave(alias, 'forward')
  const [transport = ''] = textsOf(entry, 'mtatransport')
  const [, host] = /^(?:smtp|relay):\[?([^\]\s:]+)\]?(?::25)?$/i.exec(transport) ?? []
  if (host === undefined && transport !== '' && !/^(?:dovecot|virtual|lmtp:.*)$/i.test(transport))
    leave(transport, 'unknown')
  domains.set(name, {
    name,
    institution: null,
    delivery: host === undefined ? (transport === '' ? null : 'mailboxes') : 'relay',
    nextHop: host === undefined ? null : (parseDomainName(host) ?? `[${host}]`),
    status: layout.active(entry) ? 'active' : 'suspended',
    collector: null,
  })
}

type AccountEntry = {
  readonly entry: LdifEntry
  readonly layout: Layout
  readonly where: string
  readonly domains: Map<DomainName, ImportedDomain>
  readonly accounts: ImportedAccount[]
  readonly leave: Leave
}

function readAccount({ entry, layout, where, domains, accounts, leave }: AccountEntry): void {
  const [text = ''] = textsOf(entry, 'mail')
  const address = parseAddress(text)
  if (address === undefined) return void leave(text === '' ? entry.dn : text, 'name')
  const name = domainOf(address)
  if (!domains.has(name))
    domains.set(name, { name, institution: null, delivery: null, nextHop: null, status: 'active', collector: null })
  for (const target of textsOf(entry, 'mailforwardingaddress'))
    if (target.toLowerCase() !== address) leave(`${address} ${target}`, 'forward')
  const aliases: Address[] = []
  for (const alias of textsOf(entry, layout.aliases)) {
    const parsed = parseAddress(alias)
    if (parsed === undefined) leave(`${address} ${alias}`, 'name')
    else if (domainOf(parsed) !== name) leave(`${address} ${alias}`, 'outside')
    else if (parsed !== address) aliases.push(parsed)
  }
  const [quota] = textsOf(entry, 'mailquota')
  const amount = quota === undefined ? null : /^\d{1,15}$/.test(quota) ? Number(quota) * layout.quotaUnit : undefined
  if (amount === undefined || (amount !== null && !Number.isSafeInteger(amount))) leave(`${address} ${quota}`, 'value')
  const networks = textsOf(entry, 'allownets').flatMap(nets => nets.split(/[\s,]+/).filter(Boolean))
  accounts.push({
    address,
    role: textsOf(entry, 'enabledservice').includes('domainadmin') ? 'administrator' : 'user',
    status: layout.active(entry) ? 'active' : 'suspended',
    aliases,
    quotaBytes: amount !== undefined && amount !== null && Number.isSafeInteger(amount) ? amount : null,
    // Without the attribute these servers ask for no network, but that nobody meant it: the narrowest is taken.
    allowNets: networks.length === 0 ? undefined : networks,
    holder: holderOf(entry),
    where,
  })
}

function holderOf(entry: LdifEntry): ImportedHolder {
  const known = { name: 'cn', id: 'employeenumber', post: 'title' } as const
  return Object.fromEntries(
    Object.entries(known).flatMap(([key, attribute]) => {
      const text = textsOf(entry, attribute)[0]?.trim() ?? ''
      return text === '' || text.length > 2000 ? [] : [[key, text]]
    }),
  )
}
