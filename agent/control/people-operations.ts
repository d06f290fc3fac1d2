/** Tokens, passwords, and the acceptance of a register that a witness knows more of. Who may is in `permission.ts`. */

import { dayMs, formatInstant } from '../core/clock.ts'
import { Secret } from '../core/secret.ts'
import {
  createToken,
  liveTokens,
  provesPerson,
  revokeTokens,
  tokenBytes,
  tokenDaysDefault,
} from '../incident/people.ts'
import { suggest } from '../manifest/suggest.ts'
import { parseAddress } from '../model/name.ts'
import { generatePassword, hashPassword } from '../standards/password.ts'
import type { Operation, OperationRow } from './operation.ts'
import { refuse, refusedResult } from './views.ts'

const tokenDaysMax = 3_650
const passwordBytesMin = 10
/** What a hash function and a mail client both take. */
const passwordBytesMax = 255

const createTokenOperation: Operation = async (args, { engine, caller, random, witness }) => {
  const person = String(args['person'] ?? '')
  const { people } = engine.parts.config.operator
  if (!people.some(({ name }) => name === person)) {
    const known = people.map(({ name }) => name)
    const values = { person, known: known.join(', ') || '–' }
    return refuse(65, 'E-PERSON', values, caller.language, suggest(person, known))
  }
  const days = typeof args['days'] === 'number' ? args['days'] : tokenDaysDefault
  if (!Number.isInteger(days) || days < 1 || days > tokenDaysMax)
    return refuse(64, 'E-TOKEN-DAYS', { max: String(tokenDaysMax) }, caller.language)
  const at = engine.parts.clock.now()
  const expiresAt = at + days * dayMs
  const { token, entry } = createToken(person, random(tokenBytes), { actor: caller.actor, at, expiresAt })
  await engine.append([entry])
  await witness()
  // Whoever is on the host can make tokens for two people; that is told where it can't be quietly taken back.
  engine.parts.log.write('warn', 'token made', { person, by: caller.actor.person })
  return { exit: 0, json: { version: 1, person, token: token.reveal(), until: formatInstant(expiresAt) } }
}

const revokeTokenOperation: Operation = async (args, { engine, caller, witness }) => {
  const person = String(args['person'] ?? '')
  const count = engine.history.tokens.live.filter(token => token.person === person).length
  await engine.append([revokeTokens(person, { actor: caller.actor, at: engine.parts.clock.now() })])
  await witness()
  return { exit: 0, json: { version: 1, person, count } }
}

const setPassword: Operation = async (args, { engine, caller, credentials, random, signal }) => {
  const address = parseAddress(String(args['address'] ?? ''))
  const domain = address?.slice(address.lastIndexOf('@') + 1)
  const observed = domain === undefined ? [] : await engine.observe({ domains: [domain] }, signal)
  const stands = observed.some(({ resource }) => resource.kind === 'account' && resource.address === address)
  if (address === undefined || !stands)
    return refuse(65, 'E-PASSWORD-ADDRESS', { address: String(args['address']) }, caller.language)
  const given = typeof args['password'] === 'string' ? args['password'] : undefined
  const bytes = given === undefined ? passwordBytesMin : Buffer.byteLength(given)
  if (bytes < passwordBytesMin || bytes > passwordBytesMax) {
    const values = { min: String(passwordBytesMin), max: String(passwordBytesMax) }
    return refuse(65, 'E-PASSWORD-LENGTH', values, caller.language)
  }
  const secret = given === undefined ? generatePassword(random) : new Secret(given)
  const at = engine.parts.clock.now()
  // Recorded first, and never the secret: that somebody set a password must not be lost with the reply.
  const entry = { kind: 'secret.set', actor: caller.actor, at: formatInstant(at), subject: 'directory', rule: 'S59' }
  await engine.append([{ ...entry, facts: {}, personal: { address } }])
  await credentials.setCredential(address, await hashPassword(secret), at)
  return { exit: 0, json: { version: 1, address, ...(given === undefined ? { password: secret.reveal() } : {}) } }
}

const acceptRegister: Operation = async (args, { engine, caller, findings, acceptHead, witness, stop }) => {
  const { clock, config } = engine.parts
  const now = clock.now()
  const leads = config.operator.people.filter(({ role }) => role === 'security-lead').map(({ name }) => name)
  const { tokens } = engine.history
  const { token } = caller
  // A register that was cut before the first token knows nobody: then whoever is on the host is all there is.
  const orphaned = !tokens.live.some(({ person, expiresAt }) => leads.includes(person) && expiresAt > now)
  if (token === null ? !orphaned : !provesPerson(tokens, token, now - dayMs, now)) {
    const refusal = { person: caller.actor.person, roles: 'security-lead' }
    const code = token === null ? 'E-NOT-ALLOWED' : 'E-TOKEN-NEW'
    return refusedResult(77, [{ severity: 'error', code, values: refusal }], caller.language)
  }
  if (findings(caller.language).length === 0) return refuse(3, 'E-REGISTER-TRUSTED', {}, caller.language)
  const reason = String(args['reason'] ?? '').trim()
  if (reason === '') return refuse(65, 'E-REASON', {}, caller.language)
  const stored = await acceptHead(caller.actor, reason)
  await witness()
  // What was folded at the start belongs to a register that was not trusted: a running daemon ends and starts anew.
  stop()
  return { exit: 0, json: { version: 1, index: stored.index, size: engine.parts.register.size } }
}

/** Who could act now, and through whom; what a token is made of stays where it is. */
const listTokens: Operation = async (_, { engine }) => {
  const { clock, config } = engine.parts
  const tokens = liveTokens(engine.history.tokens, clock.now()).map(({ person, expiresAt, madeBy, madeAt }) => ({
    person,
    role: config.operator.people.find(({ name }) => name === person)?.role ?? null,
    until: formatInstant(expiresAt),
    madeBy,
    madeAt: formatInstant(madeAt),
  }))
  return { exit: 0, json: { version: 1, tokens } }
}

const writes = () => true
const reads = () => false

export const peopleOperations: readonly (readonly [string, OperationRow])[] = [
  ['token.list', { run: listTokens, changes: reads }],
  ['token.create', { run: createTokenOperation, changes: writes }],
  ['token.revoke', { run: revokeTokenOperation, changes: writes }],
  ['password.set', { run: setPassword, changes: writes }],
  ['register.accept', { run: acceptRegister, changes: writes }],
]
