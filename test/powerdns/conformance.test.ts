/** The suite of providers over a real PowerDNS, on both of the back ends that the tests install. */
import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openPowerDns } from '../../providers/powerdns/powerdns.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { dnsSample } from '../conformance/samples.ts'
import { backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'
import { writeBehind } from './third-party.ts'

for (const backend of backends)
  describeServers(`PowerDNS on ${backend}`, whyNoPdns, () => {
    let pdns: Pdns
    beforeAll(async () => {
      pdns = await startPdns(backend)
    })
    afterAll(() => pdns?.close())
    const open = () => openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock })

    testProvider<DnsResource>({
      name: 'PowerDNS',
      skip: [],
      async open() {
        const { json } = await pdns.api('GET', '/zones')
        for (const { id } of json) await pdns.api('DELETE', `/zones/${id}`)
        return {
          provider: open(),
          writeBehind: (resource, value) => writeBehind(pdns, resource, value),
          close: async () => {},
        }
      },
      reopen: async () => open(),
      sample: dnsSample,
    })
  })
