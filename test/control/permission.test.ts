/** The permission table, cell by cell: every operation has a row, every role is tried on every operation (K1, K2, K4). */
import { expect, test } from 'vitest'
import type { Caller } from '../../agent/control/operation.ts'
import { operations } from '../../agent/control/operations.ts'
import { denialOf, permissions } from '../../agent/control/permission.ts'
import { roles } from '../../agent/manifest/schema.ts'

const people = [
  ...roles.map(role => ({ name: `p-${role}`, role })),
  { name: 'two', role: 'auditor' },
  { name: 'two', role: 'sysadmin' },
]
const as = (person: string, role: string, token: boolean): Caller => ({
  actor: { person, role },
  token: token ? { person, digest: '', expiresAt: 0, madeAt: 0, madeBy: 'local:root' } : null,
  refused: false,
  language: 'en',
})
const callers: Readonly<Record<string, Caller>> = {
  local: as('local:root', 'local', false),
  ...Object.fromEntries(roles.map(role => [role, as(`p-${role}`, role, true)])),
}

/** Who may, by role; written out a second time, since a table that only agrees with itself proves nothing. */
const expected: Readonly<Record<string, string>> = {
  plan: 'local gau-agent sysadmin responder security-lead auditor',
  status: 'local gau-agent sysadmin responder security-lead auditor',
  metrics: 'local gau-agent sysadmin responder security-lead auditor',
  examine: 'local gau-agent sysadmin responder security-lead auditor',
  explain: 'local gau-agent sysadmin responder security-lead auditor',
  'incident.list': 'local gau-agent sysadmin responder security-lead auditor',
  'incident.show': 'local gau-agent sysadmin responder security-lead auditor',
  apply: 'local sysadmin',
  verify: 'local sysadmin responder security-lead',
  adopt: 'local sysadmin',
  unmanaged: 'local gau-agent sysadmin responder security-lead auditor',
  import: 'local gau-agent sysadmin responder security-lead auditor',
  suspend: 'local sysadmin responder security-lead',
  'detection.resume': 'responder security-lead',
  'drill.start': 'local sysadmin responder security-lead',
  'drill.report': 'local gau-agent sysadmin responder security-lead auditor',
  'incident.report': 'gau-agent responder security-lead',
  'incident.action': 'gau-agent responder security-lead',
  'incident.rotate': 'sysadmin responder security-lead',
  'incident.held': 'local sysadmin responder security-lead auditor',
  'incident.mail': 'responder security-lead',
  'incident.purge': 'responder security-lead',
  'incident.accept': 'responder security-lead',
  'incident.return': 'responder security-lead',
  'incident.release': 'responder security-lead',
  'incident.annul': 'responder security-lead',
  'incident.duplicate': 'responder security-lead',
  'incident.acknowledge': 'responder security-lead',
  'incident.close': 'responder security-lead',
  'incident.evidence': 'responder security-lead',
  'incident.evidence.export': 'responder security-lead auditor',
  'incident.export': 'responder security-lead auditor',
  'incident.hold': 'responder security-lead',
  'incident.unhold': 'responder security-lead',
  withdraw: 'security-lead',
  'token.list': 'local gau-agent sysadmin responder security-lead auditor',
  'token.create': 'local sysadmin security-lead',
  'token.revoke': 'local sysadmin security-lead',
  'password.set': 'local sysadmin security-lead',
  'register.accept': 'local security-lead',
}

test('every operation has a row and every row an operation', () => {
  expect(Object.keys(permissions).toSorted()).toEqual([...operations.keys()].toSorted())
  expect(Object.keys(expected).toSorted()).toEqual([...operations.keys()].toSorted())
})

test.each(Object.entries(expected))('%s: %s', (operation, may) => {
  for (const [role, caller] of Object.entries(callers))
    expect([role, denialOf(operation, caller, people) === undefined]).toEqual([role, may.split(' ').includes(role)])
})

test('an operation without a row is nobody’s; a role that the configuration took away is no role', () => {
  for (const caller of Object.values(callers)) expect(denialOf('incident.erase', caller, people)).toBeDefined()
  for (const caller of Object.values(callers)) expect(denialOf('__proto__', caller, people)).toBeDefined()
  expect(denialOf('apply', as('p-sysadmin', 'sysadmin', true), [])).toMatchObject({
    code: 'E-NOT-ALLOWED',
    values: { reason: 'other-role', roles: 'sysadmin' },
  })
  expect(denialOf('incident.release', as('local:root', 'local', false), people)).toMatchObject({
    values: { reason: 'no-token', roles: 'responder, security-lead' },
  })
  expect(denialOf('apply', as('two', 'auditor', true), people)).toBeUndefined()
  expect(denialOf('apply', as('p-auditor', 'auditor', true), people)).toMatchObject({ code: 'E-READ-ONLY' })
})
