/** The server is killed (kill -9) in the middle of an apply, at every message in turn; what was said stays true, and the next pass converges (R5). */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import { type DnsResource, zoneOf } from '../../agent/standards/dns-resource.ts'
import type { Observed, Provider } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { markFor, rrset, soa, zone } from '../dns/bench.ts'
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
const crowd = Array.from({ length: 24 }, (_, n) => `z${n}.example`)
const crowded = crowd.flatMap(apex => [zone(apex), soa(apex), rrset(apex, '@', 'NS', ['ns1.operator.example'])])
const addressed = [...crowded, ...crowd.map(apex => rrset(apex, 'www', 'A', ['192.0.2.1']))]
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

/** What was said is true, and what is left to do is done by a pass that nothing happens to. */
async function converges(
  server: Server,
  { outcomes, changes }: { outcomes: readonly Outcome[]; changes: readonly Change<DnsResource>[] },
  desired: readonly DnsResource[],
): Promise<void> {
  await using direct = openProvider(server, { zones: [] })
  const truth = await readWhenLoaded(server, direct)
  expect(lies(outcomes, changes, truth).filter(({ result }) => result === 'applied')).toEqual([])
  const rest = changesTo(truth, desired)
  expect((await apply(direct, rest)).filter(({ result }) => result !== 'applied')).toEqual([])
  const reached = await observeAll(direct)
  expect(canonicalJson(resources(reached))).toBe(canonicalJson(sorted(desired)))
  for (const { resource, mark } of reached) expect(mark).toBe(markFor(resource))
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
    await converges(server, { outcomes, changes }, desired)
  }
}

describeServers('BIND killed in the middle', whyNoBind, () => {
  test('keeps what was said, and the next pass converges', () => killThroughout(() => startBind()))

  test('while it makes, writes and removes many zones at once, at a message', async () => {
    const bind = await startBind()
    closers.push(bind.stop)
    const twin = await startTwin(bind.port)
    closers.unshift(twin.close)
    const states = [crowded, addressed, []]
    // Between the first answer and the last of each kind of pass, a few further on each time.
    for (let step = 0; step < 18; step += 1) {
      const desired = states[step % states.length] ?? []
      await using shaky = openProvider(bind, { server: twin.server, zones: [], loadMs: 2_000 })
      const changes = changesTo(await observeAll(shaky), desired)
      let killed: Promise<void> | undefined
      twin.script = {
        toClient: (octets, number) => {
          if (number < 5 + step * 7 || killed !== undefined) return [octets]
          killed = bind.daemon.stop('SIGKILL')
          return 'cut'
        },
      }
      const outcomes = await apply(shaky, changes)
      twin.script = {}
      await killed
      if (killed !== undefined) await bind.daemon.start()
      await converges(bind, { outcomes, changes }, desired)
    }
  })

  test('before and after each command of rndc', async () => {
    const bind = await startBind()
    closers.push(bind.stop)
    const file = (name: string) => join(bind.folder, name)
    const [program, ...args] = bind.zoneMaking.rndc
    // Counts its calls, of which several may run at once; kills BIND at the one named.
    const lines = [
      '#!/bin/sh',
      `echo >> ${file('calls')}; n=$(wc -l < ${file('calls')})`,
      `[ "$n" = "$1" ] && [ "$2" = before ] && kill -9 $(cat ${file('named.pid')})`,
      `at=$1; when=$2; shift 2; ${program} ${args.join(' ')} "$@"; status=$?`,
      `[ "$n" = "$at" ] && [ "$when" = after ] && kill -9 $(cat ${file('named.pid')})`,
      'exit $status',
    ]
    writeFileSync(file('rndc'), `${lines.join('\n')}\n`, { mode: 0o755 })
    const few = addressed.filter(resource => crowd.slice(0, 4).includes(zoneOf(resource)))
    let kills = 0
    for (const [from, to] of [
      [[], few],
      [few, []],
    ])
      for (const when of ['before', 'after'])
        for (let [at, cut] = [1, true]; cut; at += 1) {
          await using direct = openProvider(bind, { zones: [] })
          const prepared = await apply(direct, changesTo(await observeAll(direct), from ?? []))
          expect(prepared.filter(({ result }) => result !== 'applied')).toEqual([])
          const rndc = [file('rndc'), String(at), when] as const
          await using shaky = openProvider(bind, { zones: [], loadMs: 2_000, zoneMaking: { ...bind.zoneMaking, rndc } })
          const changes = changesTo(await observeAll(shaky), to ?? [])
          writeFileSync(file('calls'), '')
          const outcomes = await apply(shaky, changes)
          cut = readFileSync(file('calls'), 'utf8').length >= at
          if (cut) {
            kills += 1
            await bind.daemon.stop('SIGKILL')
            await bind.daemon.start()
          }
          await converges(bind, { outcomes, changes }, to ?? [])
        }
    expect(kills).toBeGreaterThan(8)
  })
})

describeServers('Knot killed in the middle', whyNoKnot, () => {
  test('keeps what was said, and the next pass converges', () => killThroughout(() => startKnot()))
})
