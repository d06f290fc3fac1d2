/**
 * Profiles: which attribute names, classes and places of the tree say what. `own` is ours alone. `postfix-book` and
 * `iredmail` keep what those schemas can say in their attributes, so that whoever else reads the tree goes on reading it;
 * what they cannot (two independent flags, three states, a role, our mark; networks in postfix-book) stands beside in
 * auxiliary classes of ours, `mwDomain` and `mwLogin` (decision 0014). Where their one flag means several of ours it is a
 * mirror: made from ours, written with them, and drift when it says otherwise.
 *
 * Not written, since it is the site's: homeDirectory, mailMessageStore, mailHomeDirectory, mailUidNumber and the like.
 * Data, with codecs; what walks, compares and writes knows no profile by name. Pure.
 */
import { localpartOf } from '../../agent/model/name.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'

export type Values = Readonly<Record<string, readonly string[]>>

export const profileNames = ['own', 'postfix-book', 'iredmail'] as const
export type ProfileName = (typeof profileNames)[number]

/** Where entries stand: `<root>,BASE` > `<domain>=DOMAIN` > (`<below>` >) `mail=ADDRESS`. */
export type Naming = {
  readonly root: string
  readonly rootEntry: Values
  readonly domain: 'dc' | 'domainName'
  /** Between a domain and its accounts; undefined where accounts stand right below. */
  readonly below?: { readonly rdn: string; readonly entry: Values }
}

/** What an account's gates depend on: its own status, what its domain says, and what a login is good for. */
export type Gates = { readonly status: string; readonly domainStatus: string; readonly may: readonly string[] }

export type Profile = {
  readonly name: ProfileName
  readonly naming: Naming
  readonly domain: {
    readonly classes: readonly string[]
    readonly mirrors: (domain: DirectoryDomain) => Values
  }
  readonly account: {
    readonly classes: readonly string[]
    /** The one of them that is ours: what filters ask for. */
    readonly ours: 'mwAccount' | 'mwLogin'
    readonly address: string
    readonly aliases: string
    readonly networks: string
    readonly quota: {
      readonly attribute: string
      /** Bytes of one unit; more is rounded up to the next. */
      readonly unit: number
      readonly rule: string
    }
    /** What else the classes must have, and somebody else's from then on. */
    readonly birth: (account: DirectoryAccount) => Values
    readonly mirrors: (gates: Gates) => Values
  }
  /** Attributes of several owners: only these values of them are ours. */
  readonly shared: Values
  /** By class in lower case, what its entries cannot be without. */
  readonly required: Values
  /** Clauses that filters of Dovecot ask for beside ours: whoever closes an account by the other schema closes it. */
  readonly clauses: { readonly open: string; readonly domainShut: string }
  readonly indexes: string
}

const nothing = (): Values => ({})
const isOpen = ({ status, domainStatus }: Gates) => status === 'active' && domainStatus === 'active'
const person = (account: DirectoryAccount): Values => ({
  // inetOrgPerson cannot be without them. From here on they belong to whoever keeps people's names.
  cn: [localpartOf(account.address)],
  sn: [localpartOf(account.address)],
})
const requiredOfOurs: Values = {
  mwdomain: ['mwLoginStatus', 'mwCollectionStatus', 'mwDelivery'],
  mwaccount: ['mwAddress', 'mwAccountStatus', 'mwDomainStatus', 'mwRole', 'mwQuotaBytes'],
  mwlogin: ['mwAccountStatus', 'mwDomainStatus', 'mwRole'],
}
const ouDomains = {
  root: 'ou=domains',
  rootEntry: { objectClass: ['organizationalUnit'], ou: ['domains'] },
  domain: 'dc',
} as const satisfies Naming

const own: Profile = {
  name: 'own',
  naming: ouDomains,
  domain: { classes: ['domain', 'mwDomain'], mirrors: nothing },
  account: {
    classes: ['inetOrgPerson', 'inetLocalMailRecipient', 'mwAccount'],
    ours: 'mwAccount',
    address: 'mwAddress',
    aliases: 'mailLocalAddress',
    networks: 'mwAllowNets',
    quota: { attribute: 'mwQuotaBytes', unit: 1, rule: '*:bytes=%{ldap:mwQuotaBytes}' },
    birth: account => ({ mail: [account.address], ...person(account) }),
    mirrors: nothing,
  },
  shared: {},
  required: requiredOfOurs,
  clauses: { open: '', domainShut: '' },
  indexes: 'objectClass,dc,mail,mwAddress,mailLocalAddress,entryUUID,entryCSN',
}

/** The schema knows no domains: they stand as in `own`. Its quota is text, in kilobytes; 0 is no limit. */
const postfixBook: Profile = {
  name: 'postfix-book',
  naming: ouDomains,
  domain: own.domain,
  account: {
    classes: ['inetOrgPerson', 'PostfixBookMailAccount', 'mwLogin'],
    ours: 'mwLogin',
    address: 'mail',
    aliases: 'mailAlias',
    networks: 'mwAllowNets',
    quota: { attribute: 'mailQuota', unit: 1024, rule: '*:storage=%{ldap:mailQuota}' },
    birth: person,
    // One flag for logins and mail alike. In doubt the login is closed; our own maps don't ask it about mail.
    mirrors: gates => ({ mailEnabled: [isOpen(gates) ? 'TRUE' : 'FALSE'] }),
  },
  shared: {},
  required: requiredOfOurs,
  clauses: { open: '(mailEnabled=TRUE)', domainShut: '' },
  indexes: 'objectClass,dc,mail,mailAlias,entryUUID,entryCSN',
}

const secured = (service: string) => [service, `${service}secured`, `${service}tls`]
const readServices = ['imap', 'pop3', 'managesieve', 'sieve'].flatMap(secured)
const submitServices = secured('smtp')
const mailServices = ['mail', 'deliver', 'lda', 'lmtp', 'shadowaddress']
const active = (isActive: boolean) => (isActive ? ['active'] : ['disabled'])

/**
 * Its own readers refuse mail, too, where a status is not active. A suspension closes logins and lets mail go on, so it
 * takes the services away that log in; only what is closed for good is disabled.
 */
const iredmail: Profile = {
  name: 'iredmail',
  naming: {
    root: 'o=domains',
    rootEntry: { objectClass: ['organization'], o: ['domains'] },
    domain: 'domainName',
    below: { rdn: 'ou=Users', entry: { objectClass: ['organizationalUnit'], ou: ['Users'] } },
  },
  domain: {
    classes: ['mailDomain', 'mwDomain'],
    mirrors: ({ login, delivery, nextHop }) => ({
      accountStatus: active(login !== 'closed'),
      enabledService: ['mail'],
      domainBackupMX: [delivery === 'relay' ? 'yes' : 'no'],
      mtaTransport: delivery === 'relay' && nextHop !== null ? [toTransport(nextHop)] : [],
    }),
  },
  account: {
    classes: ['inetOrgPerson', 'mailUser', 'mwLogin'],
    ours: 'mwLogin',
    address: 'mail',
    aliases: 'shadowAddress',
    networks: 'allowNets',
    quota: { attribute: 'mailQuota', unit: 1, rule: '*:bytes=%{ldap:mailQuota}' },
    birth: account => ({ uid: [localpartOf(account.address)], ...person(account) }),
    mirrors: gates => ({
      accountStatus: active(gates.status !== 'closed'),
      domainStatus: active(gates.domainStatus !== 'closed'),
      enabledService: [
        ...mailServices,
        ...(isOpen(gates) && gates.may.includes('read') ? readServices : []),
        ...(isOpen(gates) && gates.may.includes('submit') ? submitServices : []),
      ],
    }),
  },
  shared: { enabledService: [...mailServices, ...readServices, ...submitServices] },
  required: { ...requiredOfOurs, maildomain: ['domainName'], mailuser: ['mail'] },
  clauses: {
    open: '(accountStatus=active)(domainStatus=active)(enabledService=mail)(enabledService=%Ls)',
    domainShut: '(accountStatus=disabled)',
  },
  indexes: 'objectClass,domainName,mail,shadowAddress,entryUUID,entryCSN',
}

function toTransport(nextHop: string): string {
  return `relay:${nextHop.startsWith('[') ? nextHop : `[${nextHop}]`}`
}

export const profiles: Readonly<Record<ProfileName, Profile>> = { own, 'postfix-book': postfixBook, iredmail }

/** A quota that the profile can hold: the next larger one. */
export function storableQuota({ account }: Profile, quotaBytes: number): number {
  const { unit } = account.quota
  return unit === 1 ? quotaBytes : Math.ceil(quotaBytes / unit) * unit
}
