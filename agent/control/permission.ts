/**
 * Who may run which operation: one table, default deny, asked in one place before anything runs (K1, K2, K4; mission
 * section 10). What needs two people, or another person than the author, is judged by the acts themselves.
 */
import { rolesOf } from '../incident/gate.ts'
import type { OperatorPerson } from '../incident/people.ts'
import type { Caller } from './operation.ts'

/** `local`: somebody on the host itself without a token. `anyone`: whoever could be told apart at all. */
type Permission = 'anyone' | readonly string[]

const closers = ['local', 'sysadmin', 'responder', 'security-lead'] as const
const counter = ['gau-agent', 'responder', 'security-lead'] as const
const pair = ['responder', 'security-lead'] as const
/** An export changes nothing but the record of who took what. */
const exporters = ['responder', 'security-lead', 'auditor'] as const
const keepers = ['local', 'sysadmin', 'security-lead'] as const

export const permissions: Readonly<Record<string, Permission>> = {
  plan: 'anyone',
  status: 'anyone',
  metrics: 'anyone',
  explain: 'anyone',
  examine: 'anyone',
  'incident.list': 'anyone',
  'incident.show': 'anyone',
  apply: ['local', 'sysadmin'],
  verify: closers,
  adopt: ['local', 'sysadmin'],
  unmanaged: 'anyone',
  import: 'anyone',
  suspend: closers,
  'incident.report': counter,
  'incident.action': counter,
  'incident.rotate': ['sysadmin', 'responder', 'security-lead'],
  'incident.held': ['local', 'sysadmin', 'responder', 'security-lead', 'auditor'],
  'incident.mail': pair,
  'incident.purge': pair,
  'incident.accept': pair,
  'incident.return': pair,
  'incident.release': pair,
  'incident.annul': pair,
  'incident.duplicate': pair,
  'incident.acknowledge': pair,
  'incident.close': pair,
  'incident.evidence': pair,
  'incident.evidence.export': exporters,
  'incident.export': exporters,
  'incident.hold': pair,
  'incident.unhold': pair,
  'detection.resume': pair,
  'drill.start': closers,
  'drill.report': 'anyone',
  withdraw: ['security-lead'],
  'token.list': 'anyone',
  'token.create': keepers,
  'token.revoke': keepers,
  'password.set': keepers,
  // Locally only while no security lead has a token: the operation sees to that.
  'register.accept': ['local', 'security-lead'],
}

export type Denial = {
  readonly code: 'E-READ-ONLY' | 'E-NOT-ALLOWED'
  readonly values: Readonly<Record<string, string>>
}

/** Undefined when the caller may. An operation without a row is nobody's. */
export function denialOf(operation: string, caller: Caller, people: readonly OperatorPerson[]): Denial | undefined {
  const permission = Object.hasOwn(permissions, operation) ? permissions[operation] : undefined
  if (permission === 'anyone') return undefined
  const { person } = caller.actor
  const roles = caller.token !== null ? rolesOf(people, person) : new Set(['local'])
  if (permission?.some(role => roles.has(role))) return undefined
  if (roles.has('auditor')) return { code: 'E-READ-ONLY', values: { person } }
  const wanted = (permission ?? []).filter(role => role !== 'local').join(', ')
  const reason = caller.token ? 'other-role' : 'no-token'
  return { code: 'E-NOT-ALLOWED', values: { person, reason, roles: wanted } }
}
