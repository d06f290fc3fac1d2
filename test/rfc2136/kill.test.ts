/** The server is killed (kill -9) in the middle of an apply, at every message in turn; what was said stays true, and the next pass converges (R5). */
import { afterEach, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import type { Observed, Provider } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { markFor } from '../dns/bench.ts'
import { startBind, whyNoBind } from '../servers/bind.ts'
import { startKnot, whyNoKnot } from '../servers/knot.ts'
import { waitUntil } from '../servers/mail-servers.ts'
import { describeServers } from '../servers/suite.ts'
import { apply, changesTo, lies, observeAll, openProvider, resources, type Server } from './support.ts'
import { startTwin } from './twin.ts'

const killsMin = 22
const messagesMax = 9 // an apply of the walk has about as many
const linesShown = 60
const { small, full, changed } = dnsStates
const walk: readonly (readonly DnsResource[])[] = [full, changed, [], small, full, []]
const sorted = (some: readonly DnsResource[]) => [...some].sort((a, b) => (a.key < b.key ? -1 : 1))

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A zone may still be loading; it is no absence. What the server has to say of one that never loads is in its log. */
async function readWhenLoaded(server: Server, dns: Provider<DnsResource>): Promise<readonly Observed<DnsResource>[]> {
  let found: readonly Observed<DnsResource>[] | undefined
  let failure: unknown
  try {
    await waitUntil('the zones', async () => {
      try {
        found = await observeAll(dns)
      } catch (error) {
        failure = error
      }
      return found !== undefined
    })
  } catch {
    const said = server.log().split('\n').slice(-linesShown).join('\n')
    throw new Error(`the zones are not read any more: ${String(failure)}\n${said}`, { cause: failure })
  }
  return found!
}

async function killThroughout(start: () => Promise<Server>): Promise<void> {
  const server = await start()
  closers.push(server.stop)
  const twin = await startTwin(server.port)
  closers.unshift(twin.close)
  let kills = 0
  for (let step = 0; kills < killsMin; step += 1) {
    // One message later each second time.
    const message = 1 + ((step >> 1) % messagesMax)
    const desired = walk[step % walk.length] ?? []
    await using shaky = openProvider(server, { server: twin.server, zones: [], loadMs: 2_000 })
    const changes = changesTo(await observeAll(shaky), desired)
    let killed: Promise<void> | undefined
    const kill = (octets: Buffer, number: number) => {
      if (number !== message || killed !== undefined) return [octets]
      killed = server.daemon.stop('SIGKILL')
      return 'cut' as const
    }
    // Before the server has the message, or when it has done its work and the answer is lost.
    twin.script = step % 2 === 0 ? { toServer: kill } : { toClient: kill }
    const outcomes = await apply(shaky, changes)
    expect(outcomes.length).toBe(changes.length)
    twin.script = {}
    if (killed !== undefined) {
      kills += 1
      await killed
      await server.daemon.start()
    }
    await using direct = openProvider(server, { zones: [] })
    const truth = await readWhenLoaded(server, direct)
    expect(lies(outcomes, changes, truth).filter(({ result }) => result === 'applied')).toEqual([])
    const rest = changesTo(truth, desired)
    expect((await apply(direct, rest)).filter(({ result }) => result !== 'applied')).toEqual([])
    const reached = await observeAll(direct)
    expect(canonicalJson(resources(reached))).toBe(canonicalJson(sorted(desired)))
    for (const { resource, mark } of reached) expect(mark).toBe(markFor(resource))
  }
}

describeServers('BIND killed in the middle', whyNoBind, () => {
  test('keeps what was said, and the next pass converges', () => killThroughout(() => startBind()))
})

describeServers('Knot killed in the middle', whyNoKnot, () => {
  test('keeps what was said, and the next pass converges', () => killThroughout(() => startKnot()))
})
