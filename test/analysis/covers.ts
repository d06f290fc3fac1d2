/**
 * Whether a line of a comparison speaks of a request: written from what the lines mean, over the estates as text, sharing
 * nothing with the code that cut the blocks.
 */
import { BlockList, isIP } from 'node:net'
import type { Block } from '../../agent/analysis/blocks.ts'
import type { Question } from '../../agent/analysis/fleet.ts'
import { formatInterval } from '../../agent/analysis/intervals.ts'
import type { Line, Origin } from '../../agent/analysis/lines.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { countryNaively } from '../decision/naive.ts'

type Pair = { readonly before: EstateText; readonly after: EstateText }

const domainOf = (address: string) => address.slice(address.lastIndexOf('@') + 1)
const below = (name: string, top: string) => name === top || name.endsWith(`.${top}`)

const lists = new Map<string, BlockList>()

function isIn(ip: string, networks: readonly string[]): boolean {
  const version = isIP(ip)
  if (version === 0) return false
  const key = networks.join(' ')
  const known = lists.get(key)
  const list = known ?? new BlockList()
  lists.set(key, list)
  for (const network of known === undefined ? networks : []) {
    const [from = '', rest] = network.split('/')
    const family = from.includes(':') ? 'ipv6' : 'ipv4'
    if (network.includes('–')) {
      const [low = '', high = ''] = network.split('–')
      list.addRange(low, high, family)
    } else list.addSubnet(from, Number(rest ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return list.check(ip, version === 4 ? 'ipv4' : 'ipv6')
}

const isNational = ({ national, country }: EstateText, ip: string) =>
  isIn(ip, national?.networks ?? []) || (country !== undefined && countryNaively(country, ip) === 'cu')
const isNowhere = (estate: EstateText, ip: string) =>
  !isNational(estate, ip) && estate.country !== undefined && countryNaively(estate.country, ip) === '?'

const institutionOf = (estate: EstateText, address: string) => estate.domains[domainOf(address)]?.institution ?? null
const standingOf = ({ state }: EstateText['domains'][string]) =>
  state === 'withdrawn' ? 'withdrawn' : state === 'blocked' || state === 'queued' ? 'absent' : 'live'

function isStable({ before, after }: Pair, domain: string): boolean {
  const [a, b] = [before.domains[domain], after.domains[domain]]
  return a !== undefined && b !== undefined && a.institution === b.institution && standingOf(a) === standingOf(b)
}

export function relaysFor(estate: EstateText, client: string): string[] {
  return Object.entries(estate.institutions)
    .filter(([name]) =>
      Object.values(estate.domains).some(domain => domain.institution === name && standingOf(domain) === 'live'),
    )
    .filter(([, { servers = [] }]) =>
      servers.some(({ roles, networks }) => roles.includes('relay') && isIn(client, networks)),
    )
    .map(([name]) => name)
}

/** @param eye the account that looks. */
function inBlock(pair: Pair, block: Block, address: string, eye: string): boolean {
  const { before, after } = pair
  const isOdd = address.startsWith('"')
  const isLiteral = address.includes('@[')
  const isPlain = address.includes('@') && !isOdd && !isLiteral
  const domain = isPlain ? domainOf(address) : ''
  const managed = isPlain && isStable(pair, domain)
  const nearer = 'except' in block ? block.except : []
  const covered = (top: string) =>
    nearer.some(name =>
      name.includes('@') ? name === address : name !== top && name.length > top.length && below(domain, name),
    )
  switch (block.kind) {
    case 'address':
      return block.name === address
    case 'bare':
      return address !== '' && !address.includes('@')
    case 'null':
      return address === ''
    case 'odd':
      return isOdd
    case 'literal': {
      const ip = /\[(?:IPv6:)?(.*)\]/.exec(address)?.[1] ?? ''
      return isLiteral && isNational(before, ip) === block.before && isNational(after, ip) === block.after
    }
    case 'domain':
      return isPlain && !managed && domain === block.name && !covered(block.name)
    case 'below':
      return isPlain && !managed && domain !== block.name && below(domain, block.name) && !covered(block.name)
    case 'elsewhere':
      return isPlain && !managed && !nearer.some(name => (name.includes('@') ? name === address : below(domain, name)))
    default: {
      if (!managed || (block.within !== null && !below(domain, block.within)) || covered(block.within ?? ''))
        return false
      const live = standingOf(before.domains[domain]!) === 'live'
      const institution = live ? institutionOf(before, address) : null
      const [a, b] = [institutionOf(before, eye), institutionOf(after, eye)]
      if (block.kind === 'own') return a === b && institution === a
      if (block.kind === 'institution') return institution === block.name
      return institution === null || (institution !== a && institution !== b)
    }
  }
}

function inOrigin(pair: Pair, origin: Origin, asked: Question, eye: string): boolean {
  const { before, after } = pair
  const { sender, login, clientAddress } = asked
  const relays = [relaysFor(before, clientAddress), relaysFor(after, clientAddress)] as const
  const isStranger = login === '' && relays[0].length + relays[1].length === 0
  switch (origin.way) {
    case 'login':
      if (login === '' || !inBlock(pair, origin.from, origin.sender === 'own' && sender !== '' ? sender : login, eye))
        return false
      if (origin.sender === 'own') return sender !== '' && domainOf(sender) === domainOf(login)
      return inBlock(pair, origin.sender, sender, eye)
    case 'stranger': {
      const { client } = origin
      if (!isStranger || !inBlock(pair, origin.from, sender, eye)) return false
      if (clientAddress === '') return !client.isKnown
      const nets = (estate: EstateText) => estate.institutions[institutionOf(estate, eye) ?? '']?.networks ?? []
      return (
        client.isKnown &&
        isIn(clientAddress, nets(before)) === client.ownBefore &&
        isIn(clientAddress, nets(after)) === client.ownAfter &&
        isNational(before, clientAddress) === client.nationalBefore &&
        isNational(after, clientAddress) === client.nationalAfter &&
        isNowhere(before, clientAddress) === client.unknownBefore &&
        isNowhere(after, clientAddress) === client.unknownAfter
      )
    }
    case 'relay': {
      if (login !== '' || relays[0].length === 0 || relays[0].join() !== relays[1].join()) return false
      const first = relays[0][0]!
      const [a, b] = [institutionOf(before, eye), institutionOf(after, eye)]
      const isIts =
        origin.relay === null ? first !== a && first !== b : origin.relay === '' ? first === a : first === origin.relay
      return isIts && inBlock(pair, origin.from, sender, eye)
    }
  }
}

/** Mail of accounts of one institution through its own relay comes as near as a login of it does. */
function asLogin(asked: Question): Question {
  return asked.login === '' && asked.sender.includes('@') ? { ...asked, login: asked.sender } : asked
}

export function covers(pair: Pair, line: Line, asked: Question): boolean {
  const { sender, recipient, login, clientAddress } = asked
  const { before, after } = pair
  const names = new Set(line.accounts)
  const has = (address: string) => {
    if (names.has(address)) return true
    const estates = [before, after]
    const isSomebody = estates.some(estate =>
      Object.entries(estate.accounts).some(
        ([own, { aliases = [] }]) => own === address || aliases.some(alias => `${alias}@${domainOf(own)}` === address),
      ),
    )
    return !isSomebody && names.has(`*@${domainOf(address)}`)
  }
  const relays = [relaysFor(before, clientAddress), relaysFor(after, clientAddress)] as const
  const inClients = (clients: readonly (readonly [bigint, bigint])[]) =>
    isIn(clientAddress, clients.map(formatInterval))
  switch (line.right) {
    case 'log-in':
      return login !== '' && has(login) && (clientAddress === '' ? line.unknown : inClients(line.clients))
    case 'write': {
      if (recipient === '') return false
      const isBounce = login === '' && sender === '' && relays[0].some(name => names.has(`<>@${name}`))
      const writer = login === '' ? sender : login
      const eye = isBounce ? Object.keys({ ...before.domains, ...after.domains }).map(name => `x@${name}`) : [writer]
      if (!isBounce && !has(writer)) return false
      return line.blocks.some(block => eye.some(one => inBlock(pair, block, recipient, one)))
    }
    case 'hear':
      return (
        recipient !== '' &&
        has(recipient) &&
        line.origins.some(
          origin =>
            inOrigin(pair, origin, asked, recipient) ||
            (relays[0].length > 0 &&
              relays[0].join() === relays[1].join() &&
              inOrigin(pair, origin, asLogin(asked), recipient)),
        )
      )
    case 'sign':
      return (
        login !== '' &&
        (line.names === null || line.names.includes(sender) || line.names.includes(`*@${domainOf(sender)}`))
      )
    case 'relay':
      return (
        login === '' &&
        (sender === ''
          ? names.has(`<>@${relays[0][0]}`)
          : has(sender) || (names.has('*') && before.domains[domainOf(sender)] === undefined)) &&
        inClients(line.clients)
      )
    case 'name':
      return login === '' && has(sender)
    case 'speak':
      return login === '' && inClients(line.clients)
  }
}
