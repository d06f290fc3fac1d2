/** Tokens, passwords, and the acceptance of a register that a witness knows more of. */

import { dayMs, formatInstant } from '../core/clock.ts'
import { Secret } from '../core/secret.ts'
import { createToken, revokeTokens, tokenBytes, tokenDaysDefault } from '../incident/people.ts'
import { parseAddress } from '../model/name.ts'
import { generatePassword, hashPassword } from '../standards/password.ts'
import type { Operation, OperationRow } from './operation.ts'
import { failed } from './protocol.ts'

const tokenDaysMax = 3_650
const passwordLengthMin = 10
/** What a hash function and a mail client both take. */
const passwordBytesMax = 255

function isSysadmin({ caller }: Parameters<Operation>[1]): boolean {
  return !caller.token || ['sysadmin', 'security-lead'].includes(caller.actor.role)
}

const createTokenOperation: Operation = async (args, context) => {
  const { engine, caller, random, witness } = context
  if (!isSysadmin(context))
    return failed(77, 'E-NOT-ALLOWED: tokens are made on the host itself, or by a sysadmin or security lead')
  const person = String(args['person'] ?? '')
  if (!engine.parts.config.operator.people.some(one => one.name === person))
    return failed(
      65,
      `no person ${person} in operator.people: ${engine.parts.config.operator.people.map(one => one.name).join(', ') || 'nobody is there'}`,
    )
  const days = typeof args['days'] === 'number' ? args['days'] : tokenDaysDefault
  if (!Number.isInteger(days) || days < 1 || days > tokenDaysMax) return failed(64, `--days: 1 to ${tokenDaysMax}`)
  const at = engine.parts.clock.now()
  const { token, entry } = createToken(person, random(tokenBytes), {
    actor: caller.actor,
    at,
    expiresAt: at + days * dayMs,
  })
  await engine.append([entry])
  await witness()
  return { exit: 0, json: { version: 1, person, token: token.reveal(), until: formatInstant(at + days * dayMs) } }
}

const revokeTokenOperation: Operation = async (args, context) => {
  const { engine, caller, witness } = context
  if (!isSysadmin(context))
    return failed(77, 'E-NOT-ALLOWED: tokens are revoked on the host itself, or by a sysadmin or security lead')
  const person = String(args['person'] ?? '')
  const count = engine.history.tokens.live.filter(token => token.person === person).length
  await engine.append([revokeTokens(person, { actor: caller.actor, at: engine.parts.clock.now() })])
  await witness()
  return { exit: 0, json: { version: 1, person, count } }
}

const setPassword: Operation = async (args, context) => {
  const { engine, caller, credentials, random, signal } = context
  if (!isSysadmin(context))
    return failed(77, 'E-NOT-ALLOWED: passwords are set on the host itself, or by a sysadmin or security lead')
  const address = parseAddress(String(args['address'] ?? ''))
  const observed =
    address === undefined
      ? []
      : await engine.observe({ domains: [address.slice(address.lastIndexOf('@') + 1)] }, signal)
  if (
    address === undefined ||
    !observed.some(({ resource }) => resource.kind === 'account' && resource.address === address)
  )
    return failed(65, `no account ${String(args['address'])} in the directory`)
  const given = typeof args['password'] === 'string' ? args['password'] : undefined
  const bytes = given === undefined ? passwordLengthMin : Buffer.byteLength(given)
  if (bytes < passwordLengthMin || bytes > passwordBytesMax)
    return failed(65, `a password has ${passwordLengthMin} to ${passwordBytesMax} bytes`)
  const secret = given === undefined ? generatePassword(random) : new Secret(given)
  const at = engine.parts.clock.now()
  // Recorded first, and never the secret: that somebody set a password must not be lost with the reply.
  await engine.append([
    {
      kind: 'secret.set',
      actor: caller.actor,
      at: formatInstant(at),
      subject: 'directory',
      rule: 'S59',
      facts: {},
      personal: { address },
    },
  ])
  await credentials.setCredential(address, await hashPassword(secret), at)
  return { exit: 0, json: { version: 1, address, ...(given === undefined ? { password: secret.reveal() } : {}) } }
}

const acceptRegister: Operation = async (args, { engine, caller, findings, acceptHead, witness }) => {
  if (!caller.token || caller.actor.role !== 'security-lead')
    return failed(77, 'E-NOT-ALLOWED: it takes the token of a security lead')
  if (findings().length === 0) return failed(3, 'the register verifies; there is nothing to accept')
  const reason = String(args['reason'] ?? '').trim()
  if (reason === '') return failed(65, 'E-REASON: a reason in words is needed')
  const stored = await acceptHead(caller.actor, reason)
  await witness()
  return { exit: 0, json: { version: 1, index: stored.index, size: engine.parts.register.size } }
}

const writes = () => true

export const peopleOperations: readonly (readonly [string, OperationRow])[] = [
  ['token.create', { run: createTokenOperation, changes: writes }],
  ['token.revoke', { run: revokeTokenOperation, changes: writes }],
  ['password.set', { run: setPassword, changes: writes }],
  ['register.accept', { run: acceptRegister, changes: writes }],
]
