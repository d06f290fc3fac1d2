/** The estate and the questions of the policy benchmark: 50 accounts a domain, every second one national, a third of the mail abroad. */

import type { EstateText } from '../../../agent/manifest/schema-decisions.ts'
import { toWorld } from '../../../agent/policy-test/world.ts'
import { createRandom, formatRequest } from '../../decision/generate.ts'

export const accountsPerDomain = 50
const correspondents = 100_000
/** Recipients that a national account may not write to. */
const abroadShare = 0.3

const domainOf = (index: number) => `dominio${index}.sld.cu`
const networkOf = (index: number) => `10.${(index >> 8) % 250}.${index & 255}`

/** @param more addresses of one domain more. */
export function worldOf(accountsCount: number, more: readonly string[] = []) {
  const institutions: Record<string, EstateText['institutions'][string]> = {}
  const domains: Record<string, EstateText['domains'][string]> = {}
  const accounts: Record<string, EstateText['accounts'][string]> = {}
  for (let index = 0; index < accountsCount / accountsPerDomain; index += 1) {
    institutions[`institucion${index}`] = { networks: [`${networkOf(index)}.0/24`] }
    domains[domainOf(index)] = { institution: `institucion${index}` }
    for (let count = 0; count < accountsPerDomain; count += 1)
      accounts[`cuenta${count}@${domainOf(index)}`] = { send: count % 2 === 0 ? 'national' : 'international' }
  }
  for (const address of more) {
    domains[address.slice(address.indexOf('@') + 1)] = { institution: 'institucion0' }
    accounts[address] = { receive: 'international' }
  }
  const limits = { recipientsPerHour: 1_000_000, recipientsPerDay: 1_000_000 }
  return toWorld({ institutions, domains, accounts, limits, national: { networks: ['200.55.128.0/18'] } })
}

export function requestTexts(accountsCount: number, requestsCount: number): string {
  const random = createRandom(1)
  const texts = Array.from({ length: requestsCount }, (_, count) => {
    const index = random.below(accountsCount / accountsPerDomain)
    const login = `cuenta${random.below(accountsPerDomain)}@${domainOf(index)}`
    const place = random.chance(abroadShare) ? 'example.com' : 'minsap.cu'
    return formatRequest({
      state: 'RCPT',
      clientAddress: `${networkOf(index)}.${random.below(256)}`,
      sender: login,
      recipient: `persona${random.below(correspondents)}@${place}`,
      login,
      instance: `1a2b.${count}.0`,
    })
  })
  return texts.join('')
}
