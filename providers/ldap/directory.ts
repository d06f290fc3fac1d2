/**
 * The directory in OpenLDAP: domains, accounts and passwords as entries that Postfix and Dovecot read directly (schema
 * and tree in config/ldap). It writes what it is told and decides nothing; of an entry it writes its own attributes and
 * no others. RFC 4511. A password hash goes in and never comes out.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { Secret } from '../../agent/core/secret.ts'
import { checkDirectoryResource, type DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { CredentialStore, Provider } from '../provider.ts'
import { applyAll } from './apply.ts'
import type { Session } from './ask.ts'
import { checkServer, openConnection, type Patience } from './connection.ts'
import { credentialsOf } from './credentials.ts'
import { treeAt } from './dn.ts'
import { readDoors, writeDoor } from './doors.ts'
import { canonicalIn, readAttributesOf } from './entry.ts'
import { createPool, type PoolLimits } from './pool.ts'
import { type ProfileName, profiles } from './profiles.ts'
import { observeTree } from './read.ts'
import { foreignWrites } from './watch.ts'

export type LdapOptions = {
  /** `ldap://host[:port]` or `ldaps://host[:port]`. */
  readonly url: string
  /** Of ldap://; `none` only to loopback. Default: starttls. */
  readonly encryption?: 'starttls' | 'none'
  /** PEM file of the authority that the server's certificate is verified by. Default: the authorities that Node trusts. */
  readonly caFile?: string
  /** The tree is `ou=domains`, or what the profile calls it, below it; it has to stand. */
  readonly base: string
  readonly bindDn: string
  readonly password: Secret
  readonly clock: Clock
  /** Whose attribute names. Default: own. */
  readonly profile?: ProfileName
  /** Default: two connections with 16 requests in flight on each. */
  readonly limits?: PoolLimits
  /** Default: 10 s until a connection is bound, 30 s for an answer. */
  readonly patience?: Patience
}

export type LdapDirectory = Provider<DirectoryResource> &
  CredentialStore & {
    foreignWrites(signal: AbortSignal): AsyncIterable<void>
  }

/** As fast as slapd commits; more of either gains nothing, and slapd closes a connection with 1,000 pending. */
const defaultLimits: PoolLimits = { connections: 2, inFlight: 16 }
const defaultPatience: Patience = { openMs: 10_000, answerMs: 30_000 }

/** What the directory is before it was reached. */
export const describeLdapDirectory = ({ url, base, profile = 'own' }: Pick<LdapOptions, 'url' | 'base' | 'profile'>) =>
  ({
    name: 'directory',
    kinds: ['domain', 'account'],
    target: `ldap:${url}/${profiles[profile].naming.root},${base}`,
    check: checkDirectoryResource,
    canonical: (resource: DirectoryResource) => canonicalIn(profiles[profile], resource),
  }) as const

/** Connects when it is first asked. @throws ProviderFailure when the options contradict each other. */
export function openLdapDirectory(options: LdapOptions): LdapDirectory {
  const {
    url,
    base,
    bindDn,
    password,
    clock,
    encryption = 'starttls',
    caFile,
    limits = defaultLimits,
    patience = defaultPatience,
  } = options
  const profile = profiles[options.profile ?? 'own']
  checkServer({ url, encryption })
  const open = () => openConnection({ url, encryption, caFile, bindDn, password, patience })
  const session: Session = {
    profile,
    attributes: readAttributesOf(profile),
    tree: treeAt(base, profile.naming),
    bindDn,
    pool: createPool(limits, open),
    pages: createPool({ connections: 1, inFlight: 1 }, open),
    writes: 0,
  }
  return {
    ...describeLdapDirectory(options),
    observe: (scope, signal) => observeTree(session, scope, signal),
    apply: (changes, signal) => applyAll(session, changes, signal),
    doors: {
      read: (refs, signal) => readDoors(session, refs, signal),
      async *write(changes, signal) {
        for (const change of changes) yield await writeDoor(session, change, signal)
      },
    },
    foreignWrites: signal => foreignWrites(session, clock, signal),
    ...credentialsOf(session),
    async [Symbol.asyncDispose]() {
      await session.pool[Symbol.asyncDispose]()
      await session.pages[Symbol.asyncDispose]()
    },
  }
}
