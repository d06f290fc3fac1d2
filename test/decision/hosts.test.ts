/** Names looked up from the right, against sets of whole suffixes. */
import { expect, test } from 'vitest'
import { buildHosts, findHost } from '../../agent/decision/hosts.ts'
import { chooseSeed, createRandom } from './generate.ts'

test('agrees with sets of names, whatever the labels', () => {
  const random = createRandom(chooseSeed())
  const labels = ['a', 'b', 'cu', 'cult', 'sld', 'sld-a', 'xn--nio-8ma']
  const name = () => Array.from({ length: 1 + random.below(4) }, () => random.pick(labels)).join('.')
  const seen = { managed: 0, national: 0, neither: 0 }
  for (let round = 0; round < 300; round += 1) {
    const some = (max: number) => [...new Set(Array.from({ length: random.below(max) }, name))]
    const [managed, suffixes, domains] = [some(40), some(4), some(4)]
    const hosts = buildHosts(managed, { suffixes, domains })
    for (const host of [...managed, ...suffixes, ...domains, ...Array.from({ length: 50 }, name)]) {
      const parts = host.split('.')
      const above = parts.map((_, at) => parts.slice(at).join('.'))
      const isNational = domains.includes(host) || above.some(one => suffixes.includes(one))
      expect({ host, ...findHost(hosts, `someone@${host}`, 8) }).toEqual({
        host,
        domain: managed.indexOf(host),
        isNational,
      })
      seen[managed.includes(host) ? 'managed' : isNational ? 'national' : 'neither'] += 1
    }
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100)
})
