/** The hands that edit zones: PowerDNS by its API, BIND and Knot by nsupdate and their control programs. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Bind } from '../bind.ts'
import type { Knot } from '../knot.ts'
import type { Pdns } from '../pdns.ts'
import { digTransfer, type Hand } from './dns.ts'

const otherMark = `mw1:${'0'.repeat(32)}`

export function pdnsHand(pdns: Pdns, backend: 'gsqlite3' | 'lmdb'): Hand {
  const patch = async (zone: string, ...rrsets: readonly Record<string, unknown>[]) => {
    const { status, json } = await pdns.api('PATCH', `/zones/${zone}.`, { rrsets })
    if (status !== 204) throw new Error(`PowerDNS answers ${status}: ${JSON.stringify(json)}`)
  }
  const enabled = (values: readonly string[]) => values.map(content => ({ content, disabled: false }))
  const wireOf = (line: string) => {
    const [name, ttl, type, ...data] = line.split(' ')
    return { name, type, ttl: Number(ttl), records: enabled([data.join(' ')]) }
  }
  const rrsetOf = async (zone: string, owner: string, type: string) => {
    const { json } = await pdns.api('GET', `/zones/${zone}.`)
    return json.rrsets.find((one: any) => one.name === `${owner}.` && one.type === type)
  }
  return {
    replace: (zone, owner, type, { ttl, values }) =>
      patch(zone, { name: `${owner}.`, type, changetype: 'REPLACE', ttl, records: enabled(values) }),
    remove: (zone, owner, type) => patch(zone, { name: `${owner}.`, type, changetype: 'DELETE' }),
    async alias(zone, owner, instead, target) {
      await patch(zone, { name: `${owner}.`, type: instead, changetype: 'DELETE' })
      await patch(zone, {
        name: `${owner}.`,
        type: 'CNAME',
        changetype: 'REPLACE',
        ttl: 60,
        records: enabled([target]),
      })
    },
    async removeZone(zone) {
      if ((await pdns.api('DELETE', `/zones/${zone}.`)).status !== 204) throw new Error(`${zone} is still there`)
    },
    async unmark(zone, how) {
      if (backend === 'gsqlite3') {
        const { name, type, ttl, records } = await rrsetOf(zone, zone, 'MX')
        const comments = how === 'remove' ? [] : [{ content: otherMark, account: 'mailwarden' }]
        await patch(zone, { name, type, changetype: 'REPLACE', ttl, records, comments })
      } else {
        const { name, type, ttl, records } = await rrsetOf(zone, `_mailwarden.${zone}`, 'TXT')
        const isMx = ({ content }: { content: string }) => content.includes(` ${zone} MX `)
        if (!records.some(isMx)) throw new Error('the list of marks has no MX')
        const altered = records.map((one: any) =>
          isMx(one) ? { ...one, content: one.content.replace(/mw1:[0-9a-f]+/, otherMark) } : one,
        )
        const left = how === 'remove' ? records.filter((one: any) => !isMx(one)) : altered
        await patch(zone, { name, type, changetype: 'REPLACE', ttl, records: left })
      }
      return [`${zone}/MX`]
    },
    addAll: (zone, lines) => patch(zone, ...lines.map(line => ({ ...wireOf(line), changetype: 'REPLACE' }))),
    async addZone(zone, lines) {
      const rrsets = lines.map(wireOf)
      const body = { name: `${zone}.`, kind: 'Native', account: 'de otro', nameservers: [], rrsets }
      const { status, json } = await pdns.api('POST', '/zones', body)
      if (status !== 201) throw new Error(`PowerDNS answers ${status}: ${JSON.stringify(json)}`)
    },
    transfer: zone => digTransfer(pdns.dnsPort, zone),
  }
}

function updateHand(
  { third, port, addForeignZone }: Pick<Bind | Knot, 'third' | 'port' | 'addForeignZone'>,
  removeZone: Hand['removeZone'],
): Hand {
  const send = (zone: string, ...lines: readonly string[]) => {
    const { status, stderr } = third.nsupdate([`zone ${zone}`, ...lines.map(line => `update ${line}`), 'send'])
    if (status !== 0) throw new Error(`nsupdate: ${stderr}`)
  }
  const transfer = (zone: string) => digTransfer(port, zone, '-k', third.keyFile)
  return {
    replace(zone, owner, type, { ttl, values }) {
      const add = values.map(value => `add ${owner}. ${ttl} ${type} ${value}`)
      if (type === 'SOA') return send(zone, ...add)
      // The last NS of an apex stays whatever is said, so the new ones come first.
      const stale = transfer(zone)
        .map(line => line.split(/\s+/))
        .filter(([name, , , found]) => name === `${owner}.` && found === type)
        .map(([, , , , ...data]) => data.join(' '))
        .filter(data => type === 'NS' && !values.includes(data))
      if (type === 'NS') send(zone, ...add, ...stale.map(data => `delete ${owner}. NS ${data}`))
      else send(zone, `delete ${owner}. ${type}`, ...add)
    },
    remove: (zone, owner, type) => send(zone, `delete ${owner}. ${type}`),
    alias: (zone, owner, instead, target) =>
      send(zone, `delete ${owner}. ${instead}`, `add ${owner}. 60 CNAME ${target}`),
    removeZone,
    addAll: (zone, lines) => send(zone, ...lines.map(line => `add ${line}`)),
    addZone: (zone, lines) => addForeignZone(zone, lines),
    unmark(zone, how) {
      const line = transfer(zone).find(line => line.includes(`._mailwarden.${zone}.`) && /["\s]@ MX mw1:/.test(line))
      const [owner, data] = [/^\S+/.exec(line ?? '')?.[0], line?.replace(/^\S+\s+\d+\s+IN\s+TXT\s+/, '')]
      if (owner === undefined || data === undefined) throw new Error(`no mark of the MX in ${zone}`)
      const add = how === 'alter' ? [`add ${owner} 60 TXT ${data.replaceAll(/mw1:[0-9a-f]+/g, otherMark)}`] : []
      send(zone, `delete ${owner} TXT ${data}`, ...add)
      return [`${zone}/MX`]
    },
    transfer,
  }
}

export function bindHand(bind: Bind): Hand {
  return updateHand(bind, zone => {
    const { include } = bind.zoneMaking
    const lines = readFileSync(include, 'utf8').split('\n')
    const left = lines.filter(line => !line.startsWith(`zone "${zone}"`))
    if (left.length !== lines.length - 1) throw new Error(`${zone} is not in ${include}`)
    writeFileSync(include, left.join('\n'))
    const { status, stderr } = bind.rndc('reconfig')
    if (status !== 0) throw new Error(`rndc: ${stderr}`)
  })
}

export function knotHand(knot: Knot): Hand {
  return updateHand(knot, zone => {
    const said = knot.knotc('conf-begin', `conf-unset zone[${zone}.]`, 'conf-commit')
    if (/error/.test(said)) throw new Error(`knotc: ${said}`)
  })
}
