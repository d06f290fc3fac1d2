/** The provider over a real Knot: conformance, and what Knot alone can show. */
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { type Knot, startKnot, whyNoKnot } from '../servers/knot.ts'
import { describeServers } from '../servers/suite.ts'
import { openProvider, serverSample, writeBehind } from './support.ts'

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
})
