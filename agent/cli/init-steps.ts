/**
 * What is left to do by hand after `init`: short steps in the order in which they work, each with its commands and the
 * checks of `doctor` that see it done. Commands are for Debian, as root, in the folder that `init` filled. Pure.
 */
import { type Chosen, type InitPart, policyAddress, type Site, zoneFolders } from './init-parts.ts'
import type { Say, TextKey } from './texts.ts'

export type InitStep = {
  readonly part: 'site' | 'apply' | 'run' | InitPart
  readonly text: string
  /** Of Debian. */
  readonly packages: readonly string[]
  readonly commands: readonly string[]
  /** By which `doctor` sees the step done: its codes, and how it calls them. */
  readonly checks: readonly { readonly code: string; readonly name: string }[]
  /** What is nobody's but the operator's to say. */
  readonly change?: readonly { readonly file: string; readonly fields: readonly string[] }[]
}

type Draft = Omit<InitStep, 'text' | 'checks'> & {
  readonly text: TextKey
  readonly checks: readonly CheckCode[]
  readonly host?: string
}

/** As `doctor` calls them; what it puts in for braces is given here. */
const checkNames = {
  'provider-directory': ['doctorProvider', { name: 'directory' }],
  'read-directory': ['doctorRead', { name: 'directory' }],
  'provider-dns': ['doctorProvider', { name: 'dns' }],
  'read-dns': ['doctorRead', { name: 'dns' }],
  'state-folder': ['doctorFolder', {}],
  'mail-host': ['doctorHost', {}],
  'policy-service': ['doctorPolicy', { address: policyAddress }],
  daemon: ['doctorDaemon', {}],
  manifests: ['doctorManifests', {}],
} as const satisfies Record<string, readonly [TextKey, Readonly<Record<string, string>>]>
type CheckCode = keyof typeof checkNames

/** All that has to differ from what `init` wrote stands in these two files. */
const toChange = [
  {
    file: 'mailwarden.yaml',
    fields: [
      'spec.operator: name, language, timeZone, contacts, people',
      'spec.national: suffixes',
      'spec.mail: mx, nameServers, hostmaster',
    ],
  },
  {
    file: 'manifests/example.yaml',
    fields: [
      'Institution: title, director, representatives, contract, capacity, networks',
      'MailDomain: metadata.name, delivery, limits',
      'AccountList: metadata.name, domain, requests, accounts',
    ],
  },
] as const

export type Place = {
  readonly site: Site
  /** What `init` filled, and where mailwarden itself stands; both absolute. */
  readonly folder: string
  readonly checkout: string
}

export function initSteps({ parts, profile }: Chosen, { site, folder, checkout }: Place, say: Say): InitStep[] {
  const embedded = !parts.has('ldap')
  const map = embedded ? 'sqlite' : 'ldap'
  const readers = parts.has('postfix') || parts.has('dovecot')
  const drafts: Draft[] = [
    {
      part: 'site',
      text: 'initStepSite',
      packages: [],
      commands: [`cd ${folder}`],
      checks: [],
      change: toChange,
    },
  ]
  if (!embedded)
    drafts.push({
      part: 'ldap',
      text: profile === 'own' ? 'initStepLdap' : 'initStepLdapOther',
      packages: ['slapd', 'ldap-utils'],
      commands: [
        ...(profile === 'own' ? ['ldapadd -Q -Y EXTERNAL -H ldapi:/// -f /etc/ldap/schema/misc.ldif'] : []),
        'ldapadd -Q -Y EXTERNAL -H ldapi:/// -f slapd/schema.ldif',
        'ldapmodify -Q -c -Y EXTERNAL -H ldapi:/// -f slapd/database.ldif',
        `ldapadd -c -x -H ldapi:/// -D cn=admin,${site.base} -W -f slapd/entries.ldif`,
      ],
      checks: ['provider-directory', 'read-directory'],
    })
  if (parts.has('powerdns'))
    drafts.push({
      part: 'powerdns',
      text: 'initStepPowerdns',
      packages: ['pdns-server'],
      commands: ['install -m 0640 -g pdns powerdns/mailwarden.conf /etc/powerdns/pdns.d/', 'systemctl restart pdns'],
      checks: ['provider-dns', 'read-dns'],
    })
  if (parts.has('bind'))
    drafts.push({
      part: 'bind',
      text: 'initStepBind',
      packages: ['bind9', 'bind9-utils'],
      commands: [
        `install -d -m 0775 -o bind -g bind ${zoneFolders.bind}`,
        `touch ${zoneFolders.bind}/zones.conf`,
        'install -m 0640 -g bind bind/mailwarden.conf /etc/bind/',
        `echo 'include "/etc/bind/mailwarden.conf";' >> /etc/bind/named.conf.local`,
        'named-checkconf && rndc reconfig',
      ],
      checks: ['provider-dns', 'read-dns'],
    })
  if (parts.has('knot'))
    drafts.push({
      part: 'knot',
      text: 'initStepKnot',
      packages: ['knot'],
      commands: [
        'test -d /var/lib/knot/confdb || { systemctl stop knot; runuser -u knot -- knotc -C /var/lib/knot/confdb conf-import /etc/knot/knot.conf; systemctl start knot; }',
        `install -d -m 0775 -o knot -g knot ${zoneFolders.knot}`,
        'grep ^conf- knot/mailwarden.knotc | knotc',
      ],
      checks: ['provider-dns', 'read-dns'],
    })
  if (embedded && readers)
    drafts.push({
      part: 'site',
      text: 'initStepFolder',
      packages: ['postfix'],
      commands: ['install -d -m 2750 -g postfix var'],
      checks: ['state-folder'],
    })
  // Before the mail servers: Postfix does not start without the directory that it reads.
  drafts.push({
    part: 'apply',
    text: 'initStepApply',
    packages: [],
    commands: [
      `cd ${checkout.replace(/\/$/, '')}`,
      `export MAILWARDEN_CONFIG=${folder}/mailwarden.yaml`,
      'npx mailwarden validate',
      'npx mailwarden plan',
      'npx mailwarden apply',
    ],
    checks: ['manifests'],
  })
  if (parts.has('dovecot'))
    drafts.push({
      part: 'dovecot',
      host: 'imap1',
      text: 'initStepDovecot',
      packages: ['dovecot-imapd', 'dovecot-pop3d', 'dovecot-lmtpd', `dovecot-${map}`],
      commands: [
        `cd ${folder}`,
        'groupadd --gid 5000 vmail && useradd --uid 5000 --gid 5000 --no-create-home --home-dir /var/vmail --shell /usr/sbin/nologin vmail',
        'install -d -m 0750 -o 5000 -g 5000 /var/vmail',
        'install -d -m 0755 /etc/dovecot/mailwarden',
        'install -m 0600 dovecot/doveadm-key /etc/dovecot/mailwarden/',
        'install -m 0640 -g dovecot dovecot/verify-users /etc/dovecot/mailwarden/',
        'touch /etc/dovecot/mailwarden/closed-domains',
        'install -m 0600 dovecot/*.ext /etc/dovecot/',
        'install -b -m 0644 dovecot/*.conf /etc/dovecot/',
        "sed -i 's/^!include auth-system/#&/' /etc/dovecot/conf.d/10-auth.conf",
        'doveconf -n > /dev/null && systemctl restart dovecot',
      ],
      checks: ['mail-host'],
    })
  if (parts.has('postfix'))
    drafts.push({
      part: 'postfix',
      host: 'mx1',
      text: 'initStepPostfix',
      packages: ['postfix', `postfix-${map}`],
      commands: [
        `cd ${folder}`,
        'install -d -m 0750 -g postfix /etc/postfix/mailwarden',
        'install -m 0640 -g postfix postfix/[rtv]*.cf /etc/postfix/mailwarden/',
        "sed '/^#/d;/^$/d' postfix/main.cf | xargs -d '\\n' postconf -e",
        `cat postfix/master.cf ${parts.has('smtp') ? 'postfix/notices.cf ' : ''}>> /etc/postfix/master.cf`,
        'postfix check && systemctl restart postfix',
      ],
      checks: ['mail-host'],
    })
  drafts.push({
    part: 'run',
    text: 'initStepRun',
    packages: [],
    commands: [
      `cd ${checkout.replace(/\/$/, '')}`,
      'npx mailwarden password admin@hospital.example',
      'npx mailwarden run',
      'npx mailwarden doctor',
    ],
    checks: ['daemon', 'policy-service'],
  })
  return drafts.map(({ text, checks, host, ...draft }) => ({
    ...draft,
    text: say(text),
    checks: checks.map(code => {
      const [name, values] = checkNames[code]
      return { code, name: say(name, { ...values, ...(host === undefined ? {} : { host }) }) }
    }),
  }))
}

/** As they are printed, and kept in STEPS.txt. */
export function formatSteps(steps: readonly InitStep[], say: Say): string[] {
  return steps.flatMap(({ text, packages, commands, checks, change }, index) => [
    `${index + 1}. ${text}`,
    ...(change ?? []).flatMap(({ file, fields }) => [`     ${file}`, ...fields.map(field => `       ${field}`)]),
    ...(packages.length === 0 ? [] : [`   ${say('initPackages', { packages: packages.join(' ') })}`]),
    ...commands.map(command => `     ${command}`),
    ...(checks.length === 0 ? [] : [`   ${say('initChecks', { checks: checks.map(({ name }) => name).join(' · ') })}`]),
    '',
  ])
}
