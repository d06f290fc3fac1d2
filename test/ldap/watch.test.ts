/** Hints of foreign writes by the server's change number, and the schema in its two forms. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Clock } from '../../agent/core/clock.ts'
import { account, domain } from '../conformance/samples.ts'
import { run } from '../servers/mail-servers.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { apply, create, openOver } from './bench.ts'
import { byHand } from './hand.ts'

/** Time that passes when the test says so: `tick` lets one sleep end, and waits until the next one begins. */
function steppedClock() {
  let wake = () => {}
  let asleep = Promise.withResolvers<void>()
  const clock: Clock = {
    now: () => 0,
    sleep: (_, signal) =>
      new Promise(resolve => {
        wake = resolve
        signal.addEventListener('abort', () => resolve())
        asleep.resolve()
      }),
  }
  const tick = async () => {
    await asleep.promise
    asleep = Promise.withResolvers()
    wake()
  }
  return { clock, tick, begun: () => asleep.promise }
}

describeServers('the change number of slapd', whyNoSlapd, () => {
  let slapd: Slapd
  afterEach(() => slapd.close())

  test('writes of others are hinted at, our own are not', async () => {
    slapd = await startSlapd({ sync: 'fast', lines: ['overlay syncprov'] })
    const { clock, tick, begun } = steppedClock()
    await using directory = openOver(slapd, { clock })
    await apply(directory, [create(domain('hcg.example'))])
    const stop = new AbortController()
    const hints = directory.foreignWrites(stop.signal)[Symbol.asyncIterator]()
    let hinted = 0
    const next = async () => {
      const { done } = await hints.next()
      if (done !== true) hinted += 1
      return done
    }
    let waiting = next()
    await begun()
    // Nothing, then ours alone: the poll ends in the next sleep, not in a hint.
    await tick()
    await begun()
    await apply(directory, [create(account('a@hcg.example'))])
    await tick()
    await begun()
    expect(hinted).toBe(0)
    byHand(slapd, domain('hcg.example'), domain('hcg.example', { login: 'closed' }))
    await tick()
    expect(await waiting).toBe(false)
    expect(hinted).toBe(1)
    // Ours and theirs between the same two looks.
    waiting = next()
    await begun()
    byHand(slapd, account('b@hcg.example'), account('b@hcg.example'))
    await apply(directory, [create(account('c@hcg.example'))])
    await tick()
    expect(await waiting).toBe(false)
    // A removal leaves no entry to be found, and moves the change number all the same.
    waiting = next()
    await begun()
    byHand(slapd, account('b@hcg.example'), null)
    await tick()
    expect(await waiting).toBe(false)
    waiting = next()
    await begun()
    stop.abort()
    expect(await waiting).toBe(true)
  })

  test('a server that does not show its change number gives no hints, and none are waited for', async () => {
    slapd = await startSlapd()
    await using directory = openOver(slapd)
    const hints = directory.foreignWrites(new AbortController().signal)[Symbol.asyncIterator]()
    expect((await hints.next()).done).toBe(true)
  })

  test('the schema for cn=config is that of slapd.conf, and slapd loads it', async () => {
    slapd = await startSlapd()
    const folder = join(import.meta.dirname, '..', '..', 'config', 'ldap')
    const ldif = readFileSync(join(folder, 'mailwarden.ldif'), 'utf8')
    const words = {
      objectIdentifier: 'olcObjectIdentifier',
      attributetype: 'olcAttributeTypes',
      objectclass: 'olcObjectClasses',
    }
    const lines = readFileSync(join(folder, 'mailwarden.schema'), 'utf8')
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => line.replace(/^\w+/, word => `${words[word as keyof typeof words]}:`))
    expect(lines.length).toBeGreaterThan(15)
    expect(ldif.split('\n').filter(line => line.startsWith('olc'))).toEqual(lines)
    const whole = [
      'dn: cn=config\nobjectClass: olcGlobal\ncn: config\n',
      'dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n',
      ...['core', 'cosine', 'inetorgperson', 'misc'].map(name => readFileSync(`/etc/ldap/schema/${name}.ldif`, 'utf8')),
      ldif,
    ]
    writeFileSync(join(slapd.folder, 'config.ldif'), whole.join('\n'))
    mkdirSync(join(slapd.folder, 'config'))
    const args = ['-n', '0', '-F', join(slapd.folder, 'config'), '-l', join(slapd.folder, 'config.ldif')]
    expect(run('/usr/sbin/slapadd', args)).toMatchObject({ status: 0 })
  })
})
