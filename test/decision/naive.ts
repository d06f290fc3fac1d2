/**
 * A second evaluator of contract section 5, written from its table and sharing nothing with the first: no tables, no
 * parsed names, just loops over the world. Slow and plain, so that a disagreement is easy to settle.
 */
import { BlockList, isIP } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import type { World, WorldAccount } from '../../agent/model/world.ts'
import type { PolicyRequest } from '../../agent/standards/policy-delegation.ts'

export type NaiveDecision = { readonly effect: string; readonly reason: string; readonly code: string }
type Box = {
  address: string
  domain: string
  institution: string
  dead: boolean
  gone: boolean
  kind: string
  account?: WorldAccount
}
type Who = { kind: 'null' | 'bare' | 'literal' | 'odd' | 'named'; domain: string; address: string; ip: string }
const order = ['local', 'national', 'international']

function inside(ip: string, networks: readonly string[]): boolean {
  const bare = ip.replace(/^::ffff:(?=\d+\.)/i, '')
  const version = isIP(bare)
  if (version === 0 || bare.includes('%')) return false
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', length] = network.split('/')
    list.addSubnet(
      address,
      Number(length ?? (address.includes(':') ? 128 : 32)),
      address.includes(':') ? 'ipv6' : 'ipv4',
    )
  }
  return list.check(bare, version === 4 ? 'ipv4' : 'ipv6')
}

function hostName(text: string): string {
  if (/[\u3002\uff0e\uff61]/.test(text) || /[^\w.\-\u0080-\uffff]/.test(text)) return ''
  const ascii = /[\u0080-\uffff]/.test(text) ? domainToASCII(text) : text.toLowerCase()
  const name = ascii.replace(/\.$/, '')
  const fine = name.length < 254 && name.split('.').every(label => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label))
  return fine && !/(^|\.)\d+$/.test(name) ? name : ''
}

function read(text: string): Who {
  const nobody = { domain: '', address: '', ip: '' }
  if (text === '' || text === '<>') return { kind: 'null', ...nobody }
  const sign = text.lastIndexOf('@')
  let local = sign < 0 ? text : text.slice(0, sign)
  if (/^"([^"\\]|\\.)*"$/s.test(local)) local = local.slice(1, -1).replace(/\\(.)/g, '$1')
  const plain = /^[a-z0-9#$&'*+/=?^_`{|}~.-]+$/i.test(local) && local.length <= 64 && !local.split('.').includes('')
  if (sign < 0) return { kind: plain ? 'bare' : 'odd', ...nobody }
  const host = text.slice(sign + 1)
  if (host.startsWith('[')) {
    const inner = /^\[(?:(\d+\.\d+\.\d+\.\d+)|ipv6:([\da-f:.]+))\]$/i.exec(host)
    return { kind: plain ? 'literal' : 'odd', ...nobody, ip: inner?.[1] ?? inner?.[2] ?? '' }
  }
  const domain = hostName(host)
  const mapped = /[\u0080-\uffff]/.test(host) && domainToUnicode(domain) !== host.toLowerCase().replace(/\.$/, '')
  if (!plain || domain === '' || mapped || text.length > 254) return { kind: 'odd', ...nobody, domain }
  return { kind: 'named', ...nobody, domain, address: `${local.toLowerCase()}@${domain}` }
}

/** As one number, IPv6 behind all of IPv4; undefined for what is no address. */
function numberOf(ip: string): bigint | undefined {
  const bare = ip.replace(/^::ffff:(?=\d+\.)/i, '')
  if (isIP(bare) === 0 || bare.includes('%')) return undefined
  if (isIP(bare) === 4) return bare.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  const dotted = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map(part => part.toString(16)).join(':'),
  )
  const [head = '', tail] = dotted.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const end = groups(tail ?? '')
  const zeros = Array.from({ length: 8 - groups(head).length - end.length }, () => '0')
  const whole = [...groups(head), ...(tail === undefined ? [] : zeros), ...end]
  return whole.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n) + (1n << 128n)
}

const nobodysSpace = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12']
const nobodysSpaceToo = ['192.168.0.0/16', '224.0.0.0/3']

/** `cu`: every row that speaks of the address gives it to Cuba; `other`: to somebody else; `?`: nobody knows. */
export function countryNaively(text: string, ip: string): 'cu' | 'other' | '?' {
  const address = numberOf(ip)
  if (address === undefined || inside(ip, [...nobodysSpace, ...nobodysSpaceToo])) return '?'
  // Of IPv6 only 2000::/3 is given out.
  if (address >= 1n << 128n && address >> 125n !== 0b1001n) return '?'
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const [, code = '', type, start = '', size = '', , status = ''] = line.split('|')
    if ((type !== 'ipv4' && type !== 'ipv6') || !/^(allocated|assigned)$/.test(status)) continue
    if (/^(|ZZ|EU|AP)$/.test(code)) continue
    const from = numberOf(start)!
    const count = type === 'ipv4' ? BigInt(size) : 2n ** (128n - BigInt(size))
    if (address >= from && address < from + count) found.add(code === 'CU' ? 'cu' : 'other')
  }
  return found.size === 1 ? ([...found][0] as 'cu' | 'other') : '?'
}

/** @param statistics the registries' file as text, where there are country data. */
export function decideNaively(world: World, request: PolicyRequest, at: number, statistics?: string): NaiveDecision {
  const isNational = (ip: string) =>
    inside(ip, world.config.national.networks) || (statistics !== undefined && countryNaively(statistics, ip) === 'cu')
  const nothing = { effect: 'dunno', reason: 'permitted', code: 'DUNNO' }
  const { national } = world.config
  const boxes: Box[] = []
  for (const { domain, state } of world.domains.values()) {
    const own = {
      domain: domain.name as string,
      institution: domain.institution,
      gone: state === 'withdrawn',
      dead: state === 'blocked' || state === 'queued' || state === 'withdrawn',
    }
    const listed = [...world.accounts.values()].filter(({ account }) => account.domain === domain.name)
    for (const account of listed) {
      const gone = own.gone || account.state === 'withdrawn'
      const dead = own.dead || gone || account.state === 'blocked' || account.state === 'queued'
      for (const address of [account.account.address, ...account.account.aliases])
        boxes.push({ ...own, gone, dead, address, kind: 'user', account })
    }
    for (const name of [domain.administrator, `postmaster@${domain.name}`, `abuse@${domain.name}`])
      boxes.push({ ...own, address: name, kind: 'administrator' })
    if (domain.collector !== null) boxes.push({ ...own, address: domain.collector, kind: 'collector' })
  }
  const boxOf = (who: Who) =>
    who.kind === 'named' ? boxes.find(box => box.address === who.address.replace(/(?<=.)\+.*@/, '@')) : undefined
  const managed = (who: Who) => world.domains.get(who.domain as never)
  const same = (one?: Box, other?: Box) =>
    one !== undefined &&
    other !== undefined &&
    one.domain === other.domain &&
    one.kind === other.kind &&
    one.account === other.account
  const withdrawn = (who: Who) => managed(who)?.state === 'withdrawn' || boxOf(who)?.gone === true
  const held = (who: Who, levers: string[]) =>
    managed(who) !== undefined &&
    world.holds.some(hold => {
      const scope = hold.scope.account
      const hit =
        scope === null
          ? hold.scope.domain === who.domain
          : boxOf(who)?.account?.account.address === scope ||
            (boxOf(who)?.kind !== 'user' && boxOf(who)?.address === scope)
      return hit && hold.levers.some(lever => levers.includes(lever))
    })
  const networks = (institution: string) => world.institutions.get(institution)?.networks ?? []
  const serving = (institution: string) =>
    [...world.domains.values()].some(
      ({ domain, state }) => domain.institution === institution && !['blocked', 'queued', 'withdrawn'].includes(state),
    )
  const classOf = (who: Who, institution: string): string => {
    if (who.kind === 'bare') return 'local'
    if (who.kind === 'literal') return isNational(who.ip) ? 'national' : 'international'
    if (who.kind !== 'named') return 'international'
    const own = managed(who)
    if (own !== undefined)
      return own.domain.institution === institution && !['blocked', 'queued', 'withdrawn'].includes(own.state)
        ? 'local'
        : 'national'
    const isNationalName =
      national.suffixes.some(suffix => `.${who.domain}`.endsWith(`.${suffix}`)) || national.domains.includes(who.domain)
    return isNationalName ? 'national' : 'international'
  }
  const excepted = (box: Box | undefined, kind: string, who: Who) =>
    who.kind === 'named' &&
    (box?.account?.account.exceptions ?? []).some(
      exception =>
        exception.kind === kind &&
        at < exception.until &&
        'target' in exception &&
        (exception.target.includes('@')
          ? exception.target === who.address
          : `.${who.domain}`.endsWith(`.${exception.target}`)),
    )

  const isRcpt =
    request.recipient !== '' && !/^(CONNECT|HELO|EHLO|MAIL|DATA|BDAT|END-OF-MESSAGE|VRFY|ETRN)$/.test(request.state)
  if (/^(VRFY|ETRN)$/.test(request.state)) return nothing
  const isMail = !/^(CONNECT|HELO|EHLO)$/.test(request.state)
  const login = request.login === '' ? undefined : read(request.login)
  const sender = read(request.sender)
  const recipient = isRcpt ? read(request.recipient) : undefined
  const speaking = [...world.institutions.values()].filter(
    one =>
      serving(one.name) &&
      one.servers.some(server => server.roles.includes('relay') && inside(request.clientAddress, server.networks)),
  )
  const relay = login
    ? undefined
    : (speaking.find(one => one.name === managed(sender)?.domain.institution) ?? speaking[0])?.name
  const found: NaiveDecision[] = []
  const say = (reason: string, code: string) => {
    const mode = world.config.modes[reason]
    if (mode !== 'off' && mode !== 'observe')
      found.push({ effect: code.startsWith('5') ? 'reject' : 'defer', reason, code })
  }
  if ((login && withdrawn(login)) || (isMail && withdrawn(sender))) say('withdrawn', '550 5.7.1')
  else if (recipient && withdrawn(recipient)) say('withdrawn', '550 5.1.6')
  const loginBox = login && boxOf(login)
  const loginLevers = ['send', 'submission', 'login', ...(loginBox?.kind === 'administrator' ? ['administrator'] : [])]
  const heldRelay = () =>
    world.holds.some(
      hold =>
        hold.scope.account === null &&
        world.domains.get(hold.scope.domain)?.domain.institution === relay &&
        hold.levers.some(lever => lever === 'send' || lever === 'relay'),
    )
  if (
    login
      ? held(login, loginLevers)
      : isMail && (relay && sender.kind === 'null' ? heldRelay() : held(sender, relay ? ['send', 'relay'] : ['send']))
  )
    say('suspended', '550 5.7.1')
  const inbound = recipient && managed(recipient)?.domain.inboundWhenSuspended
  if (recipient && held(recipient, ['receive']) && inbound !== 'keep')
    say('suspended-inbound', inbound === 'reject' ? '550 5.2.1' : '450 4.2.1')
  const author = login ? loginBox : relay && boxOf(sender)?.institution === relay ? boxOf(sender) : undefined
  if (isMail && login && (loginBox ? loginBox.dead : login.kind !== 'named' || managed(login)))
    say('unknown-account', '550 5.7.1')
  if (isMail && relay && sender.kind !== 'null' && (author === undefined || author.dead))
    say('unknown-account', '550 5.7.1')
  if (!login && !relay && recipient && managed(recipient) && (boxOf(recipient)?.dead ?? true))
    say('unknown-account', '550 5.1.1')
  if (isMail && login && sender.kind !== 'null') {
    const own = loginBox
      ? same(loginBox, boxOf(sender))
      : login.kind === 'named' && sender.kind === 'named' && login.address === sender.address
    if (!own) say('sender-mismatch', '550 5.7.1')
  }
  if (isMail && loginBox) {
    const mine = networks(loginBox.institution)
    const collecting = (world.institutions.get(loginBox.institution)?.servers ?? [])
      .filter(server => server.roles.includes('collect'))
      .flatMap(server => server.networks)
    const may = (access: string) =>
      loginBox.kind === 'collector'
        ? inside(request.clientAddress, collecting)
        : access === 'anywhere' ||
          inside(request.clientAddress, mine) ||
          (access === 'national' && isNational(request.clientAddress))
    const granted = (loginBox.account?.account.exceptions ?? []).flatMap(exception =>
      exception.kind === 'access' && at < exception.until ? [exception.access] : [],
    )
    if (![loginBox.account?.account.access ?? 'institution', ...granted].some(may)) say('off-network', '550 5.7.1')
  }
  const home = author?.institution ?? (relay && sender.kind === 'null' ? relay : undefined)
  if (recipient && home !== undefined) {
    const limit = author?.account?.account.send ?? 'national'
    if (order.indexOf(classOf(recipient, home)) > order.indexOf(limit) && !excepted(author, 'send', recipient))
      say('scope-send', '550 5.7.1')
  }
  const target = recipient && boxOf(recipient)
  if (recipient && target && !target.dead) {
    const home = target.institution
    const near = inside(request.clientAddress, networks(home)) ? 0 : isNational(request.clientAddress) ? 1 : 2
    const ofSender = order.indexOf(classOf(sender, home))
    const saysNothing =
      statistics === undefined
        ? national.networks.length === 0
        : near === 2 &&
          numberOf(request.clientAddress) !== undefined &&
          countryNaively(statistics, request.clientAddress) === '?'
    let rank: number
    if (login) rank = order.indexOf(classOf(login, home))
    else if (relay) rank = Math.max(relay === home ? 0 : 1, sender.kind === 'null' ? 0 : ofSender)
    else if (saysNothing) rank = sender.kind === 'null' ? 1 : ofSender
    else rank = sender.kind === 'null' ? near : Math.max(near, ofSender)
    if (
      rank > order.indexOf(target.account?.account.receive ?? 'international') &&
      !excepted(target, 'receive', sender)
    )
      say('scope-receive', '550 5.7.1')
  }
  if (isMail && !login && !relay && managed(sender)) say('spoofed-sender', '550 5.7.1')
  return found.find(one => one.effect === 'reject') ?? found[0] ?? nothing
}
