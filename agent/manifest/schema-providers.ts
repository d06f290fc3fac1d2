/**
 * `spec.providers` of the agent's configuration: the systems that obey (contract section 3). One flat object for each
 * place, with the fields of every kind; which kind takes and needs which fields is in `provider-fields.ts`, so that a field of
 * another kind is told apart from a typing error.
 */
import { type Static, Type } from 'typebox'
import { closed, oneOf, text } from './schema-parts.ts'

/** A secret is always a reference, never a value (K23): exactly one of the three. */
export const SecretReference = closed(
  {
    file: Type.Optional(text('Path of a file that holds it.')),
    credential: Type.Optional(text('Name of a systemd credential (LoadCredential=).')),
    env: Type.Optional(text('Name of an environment variable.')),
  },
  'Where a secret stands: a file, a systemd credential or an environment variable.',
)
export type SecretReference = Static<typeof SecretReference>

const command = (description: string, example: string[]) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 500 }), {
    minItems: 1,
    maxItems: 50,
    description,
    examples: [example],
  })

const Directory = closed(
  {
    kind: oneOf(['embedded', 'ldap'], 'embedded (SQLite) or ldap (OpenLDAP).'),
    file: Type.Optional(text('embedded: SQLite file; <state>/directory.db by default.')),
    url: Type.Optional(text('ldap: URL of the server.', 'ldaps://ldap.operator.example')),
    base: Type.Optional(text('ldap: DN below which the tree stands.', 'dc=operator,dc=example')),
    bindDn: Type.Optional(text('ldap: DN of the agent.', 'cn=mailwarden,dc=operator,dc=example')),
    password: Type.Optional(SecretReference),
    startTls: Type.Optional(
      Type.Boolean({
        description: 'ldap: TLS on a plain port; required, not tried. true by default for ldap:// beyond this host.',
      }),
    ),
    ca: Type.Optional(text('ldap: file of the certificate authority, PEM; the system’s by default.')),
    profile: Type.Optional(
      oneOf(['own', 'postfix-book', 'iredmail'], 'ldap: whose attribute names the tree has; own by default.'),
    ),
  },
  'Where accounts live.',
)

const Dns = closed(
  {
    kind: oneOf(
      ['embedded', 'powerdns', 'rfc2136'],
      'embedded, powerdns (HTTP API) or rfc2136 (BIND, Knot: UPDATE and TSIG).',
    ),
    listen: Type.Optional(text('embedded: host:port of the name server; 127.0.0.1:5353 by default.')),
    file: Type.Optional(text('embedded: SQLite file of the zones; <state>/dns.db by default.')),
    url: Type.Optional(text('powerdns: URL of the API.', 'http://127.0.0.1:8081')),
    apiKey: Type.Optional(SecretReference),
    serverId: Type.Optional(text('powerdns: id of the server; localhost by default.')),
    zoneKind: Type.Optional(oneOf(['Native', 'Primary'], 'powerdns: kind of new zones; Native by default.')),
    server: Type.Optional(text('rfc2136: host:port of the primary.', '127.0.0.1:53')),
    key: Type.Optional(
      closed(
        {
          name: text('Name of the key.', 'mailwarden'),
          algorithm: Type.Optional(oneOf(['hmac-sha256', 'hmac-sha512'], 'hmac-sha256 by default.')),
          secret: SecretReference,
        },
        'rfc2136: the TSIG key; its secret is in Base64.',
      ),
    ),
    zones: Type.Optional(
      closed(
        {
          making: oneOf(['none', 'bind', 'knot'], 'How zones come to be: UPDATE alone makes none.'),
          folder: Type.Optional(text('bind, knot: folder of the zone files, which the server may write.')),
          include: Type.Optional(text('bind: the file with our zones, which named.conf includes.')),
          command: Type.Optional(
            command('bind: rndc; knot: knotc; an absolute path with its options.', [
              '/usr/sbin/rndc',
              '-c',
              '/etc/bind/rndc.conf',
            ]),
          ),
        },
        'rfc2136: how zones are made and removed.',
      ),
    ),
  },
  'Where zones live.',
)

const MailHost = closed(
  {
    kind: oneOf(['dovecot', 'postfix'], 'dovecot (sessions, caches, quota) or postfix (queue).'),
    name: text('Short name of the host, in plans and answers.', 'imap1'),
    url: Type.Optional(text('dovecot: URL of doveadm’s HTTP API.', 'https://imap1.operator.example:8080/doveadm/v1')),
    apiKey: Type.Optional(SecretReference),
    command: Type.Optional(
      command('dovecot: doveadm on this host, an absolute path with its options; instead of url.', [
        '/usr/bin/doveadm',
      ]),
    ),
    configFolder: Type.Optional(text('postfix: folder of main.cf; /etc/postfix by default.')),
    ca: Type.Optional(text('dovecot: file of the certificate authority, PEM; the system’s by default.')),
    denyFile: Type.Optional(
      text('dovecot: file of the passdb that refuses whole domains (see dovecot/mailwarden-doors.conf).'),
    ),
  },
  'A mail server of the operator.',
)

const Lists = closed(
  {
    kind: oneOf(
      ['none', 'embedded', 'mlmmj', 'mailman'],
      'mlmmj (files) or mailman (REST API of Mailman 3); none and embedded: nobody is subscribed to anything.',
    ),
    folder: Type.Optional(text('mlmmj: folder in which the folders of the lists stand; /var/spool/mlmmj by default.')),
    url: Type.Optional(text('mailman: URL of the REST API, with its version.', 'http://127.0.0.1:8001/3.1')),
    user: Type.Optional(text('mailman: user of the REST API; restadmin by default.')),
    password: Type.Optional(SecretReference),
    ca: Type.Optional(text('mailman: file of the certificate authority, PEM; the system’s by default.')),
    marks: Type.Optional(text('mailman: folder in which our marks on members stand; <state>/lists by default.')),
    topics: Type.Optional(
      closed(
        {
          changes: Type.Optional(text('Changes of the service.', 'cambios@lists.operator.example')),
          modifications: Type.Optional(text('Modifications of its terms.', 'modificaciones@lists.operator.example')),
          incidents: Type.Optional(text('Incidents.', 'incidentes@lists.operator.example')),
        },
        'The list of each topic (S45). The lists stand already; several topics may share one.',
      ),
    ),
  },
  'The distribution lists of directors and representatives.',
)

const Notify = closed(
  {
    kind: oneOf(['spool', 'smtp'], 'spool (files) or smtp (sent; letters still go to the folder).'),
    folder: Type.Optional(text('Folder of files and letters; <state>/outbox by default.')),
    server: Type.Optional(text('smtp: host:port.', '127.0.0.1:587')),
    tls: Type.Optional(oneOf(['tls', 'starttls', 'none'], 'smtp: starttls by default; none only to this host.')),
    ca: Type.Optional(text('smtp: file of the certificate authority, PEM; the system’s by default.')),
    user: Type.Optional(text('smtp: login.')),
    password: Type.Optional(SecretReference),
  },
  'How notices leave.',
)

export const ProvidersSpec = closed(
  {
    directory: Type.Optional(Directory),
    dns: Type.Optional(Dns),
    mail: Type.Optional(Type.Array(MailHost, { maxItems: 100, description: 'Postfix and Dovecot hosts.' })),
    lists: Type.Optional(Lists),
    notify: Type.Optional(Notify),
  },
  'The systems that obey.',
)
export type ProvidersSpec = Static<typeof ProvidersSpec>
