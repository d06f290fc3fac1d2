/**
 * Passwords: written with the hash that comes, never read back. `userPassword` belongs to its holder; beside it stands
 * when mailwarden wrote it. Dovecot verifies the hash itself, in its own schemes. RFC 4519 section 2.41.
 */
import type { CredentialStore } from '../provider.ts'
import { ProviderFailure } from '../provider.ts'
import { allOf, equals, present, type Session } from './ask.ts'
import { onlyWhile } from './assertion.ts'
import { resultCodes } from './failure.ts'
import { change } from './owned.ts'
import { readWhole } from './whole.ts'

const never = new AbortController().signal

/** Those that are crypt(3) in another coat: as `{CRYPT}` slapd's own binds verify them too. */
const cryptSchemes = /^\{(?:SHA512-CRYPT|SHA256-CRYPT|BLF-CRYPT)(?:\.CRYPT)?\}(?=\$)/i

export function credentialsOf(session: Session): CredentialStore {
  return {
    async setCredential(address, hash, changedAt) {
      const refused = (why: string, cause?: unknown) =>
        new ProviderFailure('rejected', `${address} ${why}`, { retry: 'never', cause })
      const domain = address.slice(address.lastIndexOf('@') + 1)
      const dn = session.tree.account(address, domain)
      const changes = [
        change('replace', 'userPassword', [hash.replace(cryptSchemes, '{CRYPT}')]),
        change('replace', 'mwPasswordChangedMs', [String(changedAt)]),
      ]
      const ours = onlyWhile(allOf(equals('objectClass', session.profile.account.ours), present('mwMark')))
      session.writes += 1
      const reply = await session.pool.send(client => client.modify(dn, changes, ours), never)
      if (reply.kind === 'done') return
      if (reply.kind === 'stopped') throw refused('was not reached')
      if (reply.kind === 'refused' && reply.code === resultCodes.noSuchObject)
        throw refused('does not stand in the directory', reply.failure)
      if (reply.kind === 'refused' && reply.code === resultCodes.assertionFailed)
        throw refused('is not ours', reply.failure)
      throw reply.failure
    },
    async credentialChanges(domain) {
      const attributes = ['objectClass', 'entryCSN', 'mwPasswordChangedMs']
      const entries = await readWhole(session, session.tree.domain(domain), never, attributes)
      return new Map(
        (entries ?? []).flatMap(({ dn, values }): [string, number][] => {
          const place = session.tree.place(dn)
          const changedAt = values.get('mwPasswordChangedMs')?.[0]
          return place.kind === 'account' && changedAt !== undefined ? [[place.address, Number(changedAt)]] : []
        }),
      )
    },
  }
}
