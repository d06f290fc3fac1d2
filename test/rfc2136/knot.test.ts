/** The provider over a real Knot: conformance, and what Knot alone can show. */
import { expect, test } from 'vitest'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { createKnotZoneMaking } from '../../providers/rfc2136/knot.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { rrset, soa } from '../dns/bench.ts'
import { type Knot, startKnot, whyNoKnot } from '../servers/knot.ts'
import { describeServers } from '../servers/suite.ts'
import { masterLines, openProvider, serverSample, writeBehind } from './support.ts'

describeServers('RFC 2136 on Knot', whyNoKnot, () => {
  const servers = new Map<unknown, Knot>()
  testProvider<DnsResource>({
    name: 'RFC 2136 on Knot',
    async open() {
      const knot = await startKnot()
      const provider = openProvider(knot)
      servers.set(provider, knot)
      return {
        provider,
        writeBehind: (resource, value) => writeBehind(knot, resource, value),
        close: knot.stop,
      }
    },
    reopen: async ({ provider }) => openProvider(servers.get(provider)!),
    sample: serverSample,
    skip: [],
  })

  // Knot's control program answers before a freeze or a thaw has begun, unless it is told to wait.
  test('a frozen zone takes nothing, and one that stays takes updates at once, each time', async () => {
    const knot = await startKnot()
    try {
      const apex = 'frozen.example'
      knot.addForeignZone(apex, masterLines([soa(apex), rrset(apex, '@', 'NS', ['ns.theirs.example'])]))
      const making = createKnotZoneMaking(knot.zoneMaking)
      const add = (host: string) =>
        knot.third.nsupdate([`zone ${apex}`, `update add ${host}.${apex} 60 A 192.0.2.1`, 'send']).status === 0
      for (let round = 0; round < 20; round += 1) {
        await making.freeze(apex)
        expect(add(`frozen${round}`)).toBe(false)
        await making.stay([apex])
        expect(add(`thawed${round}`)).toBe(true)
      }
    } finally {
      await knot.stop()
    }
  })
})
