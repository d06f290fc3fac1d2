/** The provider over a real BIND: conformance, and what BIND alone can show. */
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { type Bind, startBind, whyNoBind } from '../servers/bind.ts'
import { describeServers } from '../servers/suite.ts'
import { openProvider, serverSample, writeBehind } from './support.ts'

describeServers('RFC 2136 on BIND', whyNoBind, () => {
  const servers = new Map<unknown, Bind>()
  testProvider<DnsResource>({
    name: 'RFC 2136 on BIND',
    async open() {
      const bind = await startBind()
      const provider = openProvider(bind)
      servers.set(provider, bind)
      return {
        provider,
        writeBehind: (resource, value) => writeBehind(bind, resource, value),
        close: bind.stop,
      }
    },
    reopen: async ({ provider }) => openProvider(servers.get(provider)!),
    sample: serverSample,
    skip: [],
  })
})
