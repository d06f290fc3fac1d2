/** The conformance suite over a real slapd: plain on loopback, over StartTLS and over ldaps, with verified certificates. */
import { systemClock } from '../../agent/core/system-clock.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { openLdapDirectory } from '../../providers/ldap/directory.ts'
import { testDoors } from '../conformance/doors.suite.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { directorySample } from '../conformance/samples.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { byHand } from './hand.ts'

const ways = {
  'plain, on loopback': ({ url }: Slapd) => ({ url, encryption: 'none' as const }),
  'with StartTLS': ({ url, caFile }: Slapd) => ({ url, caFile }),
  'with ldaps': ({ secureUrl, caFile }: Slapd) => ({ url: secureUrl, caFile }),
}

describeServers('OpenLDAP', whyNoSlapd, () => {
  testDoors('the directory in slapd', async () => {
    const slapd = await startSlapd()
    const { url, base, agentDn: bindDn, password } = slapd
    return {
      provider: openLdapDirectory({ url, encryption: 'none', base, bindDn, password, clock: systemClock }),
      writeBehind: async (resource, value) => byHand(slapd, resource, value),
      close: slapd.close,
    }
  })
  for (const [name, way] of Object.entries(ways)) {
    const open = (slapd: Slapd) => {
      const { base, agentDn: bindDn, password } = slapd
      return openLdapDirectory({ ...way(slapd), base, bindDn, password, clock: systemClock })
    }
    let latest: Slapd | undefined
    testProvider<DirectoryResource>({
      name: `the directory in slapd ${name}`,
      skip: [],
      async open() {
        const slapd = await startSlapd()
        latest = slapd
        return {
          provider: open(slapd),
          writeBehind: async (resource, value) => byHand(slapd, resource, value),
          close: slapd.close,
        }
      },
      sample: directorySample,
      reopen: async () => open(latest as Slapd),
    })
  }
})
