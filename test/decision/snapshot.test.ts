/** The tables: what a hold shares, who has which name, and that looking up does not get dearer with the estate. */
import { describe, expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { buildNetworkSet } from '../../agent/decision/network.ts'
import { findParty } from '../../agent/decision/party.ts'
import { buildSnapshot, withHolds } from '../../agent/decision/snapshot.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { at, toHolds, toWorld } from '../../agent/policy-test/world.ts'
import type { PolicyRequest } from '../../agent/standards/policy-delegation.ts'
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

  test.each([
    ['local', 'profesor@hcg-docencia.sld.cu', 'dunno'],
    ['local', 'x@minsap.cu', 'reject'],
    ['national', 'x@minsap.cu', 'dunno'],
    ['national', 'x@who.int', 'reject'],
    [undefined, 'profesor@hcg-docencia.sld.cu', 'reject'],
  ] as const)(
    'lifted in stages, to %s: to %s it is %s, from there too, and before a recipient nobody is refused',
    (cap, other, effect) => {
      const [whole] = toHolds({ ...estate, holds: [{ incident: 'INC-1', domain: 'hcg.sld.cu' }] })
      if (whole === undefined) throw new Error('no hold')
      const hold = cap === undefined ? whole : { ...whole, levers: ['send', 'receive', 'relay'] as const, cap }
      const held = withHolds(snapshot, [hold])
      const ask = (request: Partial<PolicyRequest>) =>
        decide(
          held,
          {
            state: 'RCPT',
            clientAddress: '10.20.0.9',
            sender: '',
            recipient: '',
            login: '',
            instance: 'c',
            ...request,
          },
          { at, usage: null },
        )
      const login = 'libre@hcg.sld.cu'
      expect(ask({ login, sender: login, recipient: other }).effect).toBe(effect)
      expect(ask({ login, sender: login, state: 'MAIL' }).effect).toBe(cap === undefined ? 'reject' : 'dunno')
      const from = other.endsWith('sld.cu') ? { login: other } : {}
      const wanted = effect === 'reject' ? 'suspended-inbound' : 'permitted'
      expect(ask({ ...from, sender: other, recipient: login }).reason).toBe(wanted)
      // A second hold that nobody is lifting holds as before.
      const both = withHolds(snapshot, [hold, { ...whole, incident: 'INC-2' }])
      const request = {
        state: 'RCPT',
        clientAddress: '10.20.0.9',
        sender: login,
        recipient: other,
        login,
        instance: 'c',
      }
      expect(decide(both, request, { at, usage: null })).toMatchObject({ reason: 'suspended' })
    },
  )

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
