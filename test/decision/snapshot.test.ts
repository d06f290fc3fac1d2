/** The tables: what a hold shares, who has which name, and that looking up does not get dearer with the estate. */
import { describe, expect, test } from 'vitest'
import { buildNetworkSet } from '../../agent/decision/network.ts'
import { findParty } from '../../agent/decision/party.ts'
import { buildSnapshot, withHolds } from '../../agent/decision/snapshot.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { toHolds, toWorld } from '../../agent/policy-test/world.ts'
import { estate } from '../decisions/tables.ts'

const snapshot = buildSnapshot(toWorld(estate))

describe('holds', () => {
  test('flip without a rebuild: every other table is the same one', () => {
    const holds = toHolds({ ...estate, holds: [{ incident: 'INC-1', domain: 'hcg.sld.cu' }] })
    const { holds: flipped, ...shared } = withHolds(snapshot, holds)
    for (const [key, table] of Object.entries(shared)) expect(table).toBe(snapshot[key as keyof typeof shared])
    expect(flipped.domains.get('hcg.sld.cu' as never)).toEqual(holds)
    expect(snapshot.holds.domains.size).toBe(0)
    expect(withHolds(withHolds(snapshot, holds), []).holds).toEqual(snapshot.holds)
  })

  test('one that names an alias holds the mailbox', () => {
    const holds = toHolds({
      ...estate,
      holds: [{ incident: 'INC-1', domain: 'hcg.sld.cu', account: 'nac.ional@hcg.sld.cu' }],
    })
    expect([...withHolds(snapshot, holds).holds.accounts.keys()]).toEqual(['nacional@hcg.sld.cu'])
  })
})

describe('names', () => {
  const mailboxOf = (text: string) => findParty(snapshot, text).mailbox?.address

  test.each([
    ['nacional@hcg.sld.cu', 'nacional@hcg.sld.cu'],
    ['NAC.IONAL+x@HCG.SLD.CU.', 'nacional@hcg.sld.cu'],
    ['postmaster@hcg.sld.cu', 'admin@hcg.sld.cu'],
    ['abuse@clinica.example', 'admin@clinica.example'],
    ['multipop@hcg.sld.cu', 'multipop@hcg.sld.cu'],
    ['nadie@hcg.sld.cu', undefined],
    ['nacional%x@hcg.sld.cu', undefined],
    ['+x@hcg.sld.cu', undefined],
  ])('%s', (text, address) => {
    expect(mailboxOf(text)).toBe(address)
  })

  test('a name in service is never taken by one that is not', () => {
    const accounts: EstateText['accounts'] = {
      'a@hcg.sld.cu': { state: 'withdrawn', aliases: ['c', 'postmaster'] },
      'b@hcg.sld.cu': { aliases: ['a', 'c'] },
      'c@hcg.sld.cu': {},
    }
    const tables = buildSnapshot(toWorld({ ...estate, accounts }))
    const address = (name: string) => findParty(tables, `${name}@hcg.sld.cu`).mailbox?.address
    expect(['a', 'b', 'c', 'postmaster'].map(address)).toEqual([
      'b@hcg.sld.cu',
      'b@hcg.sld.cu',
      'c@hcg.sld.cu',
      'admin@hcg.sld.cu',
    ])
  })

  test('an account that has a name that every domain has keeps it', () => {
    const tables = buildSnapshot(toWorld({ ...estate, accounts: { 'abuse@hcg.sld.cu': {} } }))
    expect(findParty(tables, 'abuse@hcg.sld.cu').mailbox?.role).toBe('user')
  })

  test('a domain whose owner is not known has no network', () => {
    const domains = { 'solo.cu': { institution: 'nobody' } }
    const tables = buildSnapshot(toWorld({ ...estate, domains, accounts: { 'a@solo.cu': { access: 'institution' } } }))
    expect(findParty(tables, 'a@solo.cu').managed?.institution.networks).toEqual(buildNetworkSet([]))
  })
})
