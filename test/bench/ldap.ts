/**
 * Our apply against OpenLDAP's own tools on the same durable slapd in the same run, turn by turn: 20,000 accounts added
 * against `ldapadd`, and a domain of 20,000 suspended and released against `ldapmodify` of as many flags. `npm run
 * bench`, or this file alone. The ratio is our rate by theirs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { account, domain } from '../conformance/samples.ts'
import { apply, create, openOver, update } from '../ldap/bench.ts'
import { accountDn } from '../ldap/hand.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'

const accountsEach = 20_000
const turns = 4

const ours = domain('ours.example')
const theirs = domain('theirs.example')

export type LdapBench = { readonly add: number; readonly flip: number; readonly detail: string }

/** @returns undefined where no slapd is installed. */
export async function benchLdap(): Promise<LdapBench | undefined> {
  const reason = whyNoSlapd()
  if (reason !== null) {
    console.log(`ldap: skipped, ${reason}`)
    return undefined
  }
  const slapd = await startSlapd({ sync: 'durable' })
  try {
    await using directory = openOver(slapd)
    const all = async (changes: Parameters<typeof apply>[1]) => {
      const missed = (await apply(directory, changes)).filter(({ result }) => result !== 'applied')
      if (missed[0] !== undefined) throw new Error(`${missed.length} changes: ${missed[0].detail}`)
    }
    await all([create(ours), create(theirs)])
    const added = { ours: 0, theirs: 0 }
    for (let turn = 0; turn < turns; turn += 1) {
      const of = (name: string) => addresses(name, (turn * accountsEach) / turns, accountsEach / turns)
      const changes = of(ours.key).map(address => create(account(address)))
      const ldif = of(theirs.key).map(ldifOf).join('\n')
      const both = [
        async () => {
          added.ours += await timed(() => all(changes))
        },
        async () => {
          added.theirs += await timed(() => tool(slapd, 'ldapadd', ldif))
        },
      ]
      for (const one of turn % 2 === 0 ? both : both.toReversed()) await one()
    }
    const flips: { ours: number; theirs: number }[] = []
    const names = addresses(theirs.key, 0, accountsEach)
    let before: DirectoryDomain = ours
    for (let turn = 0; turn < turns; turn += 1) {
      const login = turn % 2 === 0 ? ('suspended' as const) : ('active' as const)
      const change = update<DirectoryResource>(before, { login })
      const ldif = names.map(address => flagLdif(address, login)).join('\n')
      const flip = { ours: 0, theirs: 0 }
      const both = [
        async () => {
          flip.ours = await timed(() => all([change]))
        },
        async () => {
          flip.theirs = await timed(() => tool(slapd, 'ldapmodify', ldif))
        },
      ]
      for (const one of turn % 4 < 2 ? both : both.toReversed()) await one()
      before = { ...before, login }
      flips.push(flip)
    }
    const rate = (count: number, ms: number) => `${Math.round((count * 1000) / ms)}/s`
    const detail =
      `${accountsEach} accounts: added ${rate(accountsEach, added.ours)} by ours, ${rate(accountsEach, added.theirs)} by ldapadd; ` +
      `flags ${rate(accountsEach, median(flips.map(flip => flip.ours)))} by ours, ` +
      `${rate(accountsEach, median(flips.map(flip => flip.theirs)))} by ldapmodify`
    // Both wait for the disk, which others use too: the middle of the turns, each with its own reference.
    const [add, flip] = [added.theirs / added.ours, median(flips.map(({ ours, theirs }) => theirs / ours))]
    console.log(`ldap: ${add.toFixed(2)} of ldapadd, ${flip.toFixed(2)} of ldapmodify   ${detail}`)
    return { add, flip, detail }
  } finally {
    await slapd.close()
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2
}

function addresses(of: string, start: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `u${start + index}@${of}`)
}

/** The attributes that ours writes, mark included. */
function ldifOf(address: string): string {
  const localpart = address.slice(0, address.indexOf('@'))
  const mark = `mw1:${localpart.padStart(32, '0')}`
  return (
    `dn: ${accountDn(address)}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\nobjectClass: mwAccount\n` +
    `mail: ${address}\ncn: ${localpart}\nsn: ${localpart}\nmwAddress: ${address}\nmwRole: user\nmwAccountStatus: active\n` +
    `mwAllowNets: 10.0.0.0/8\nmwQuotaBytes: 0\nmwMark: ${mark}\nmwDomainStatus: active\nmwMay: read\nmwMay: submit\n`
  )
}

function flagLdif(address: string, status: string): string {
  return `dn: ${accountDn(address)}\nchangetype: modify\nreplace: mwDomainStatus\nmwDomainStatus: ${status}\n`
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** With the agent's own rights, and without blocking us. */
async function tool(slapd: Slapd, program: string, ldif: string): Promise<void> {
  const args = ['-x', '-H', slapd.url, '-D', slapd.agentDn, '-w', slapd.password.reveal(), '-c']
  const child = spawn(`/usr/bin/${program}`, args, { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(ldif)
  const [status] = await once(child, 'exit')
  if (status !== 0) throw new Error(`${program} ended with ${status}`)
}

if (process.argv[1] === import.meta.filename) await benchLdap()
