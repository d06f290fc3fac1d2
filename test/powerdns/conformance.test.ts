/** PowerDNS keeps a provider's promises, on a real server with each back end. */
import { systemClock } from '../../agent/core/system-clock.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openPowerDns } from '../../providers/powerdns/powerdns.ts'
import type { Provider } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { dnsSample } from '../conformance/samples.ts'
import { backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'

for (const backend of backends)
  describeServers(
    `PowerDNS with ${backend}`,
    () => whyNoPdns(backend),
    () => {
      const servers = new WeakMap<Provider<DnsResource>, Pdns>()
      testProvider<DnsResource>({
        name: `PowerDNS with ${backend}`,
        async open() {
          const pdns = await startPdns({ backend })
          const provider = openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock })
          servers.set(provider, pdns)
          return { provider, writeBehind: pdns.writeBehind, close: pdns.stop }
        },
        reopen: async ({ provider }) => {
          const pdns = servers.get(provider)
          if (pdns === undefined) throw new Error('it was never opened')
          return openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock })
        },
        sample: dnsSample,
        skip: [],
      })
    },
  )
