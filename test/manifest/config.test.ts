/** The agent's own configuration: the contract's example, its defaults, and what is refused. */
import { describe, expect, test } from 'vitest'
import { resolveConfig } from '../../agent/manifest/agent-document.ts'
import { defaultSignals } from '../../agent/model/signal.ts'

const example = `apiVersion: mailwarden/v1
kind: Agent
spec:
  manifests: ./manifests
  state: ./var
  operator: { name: Infomed }
  mail: { mx: [{ host: mx1.operator.example, priority: 10 }], nameServers: [ns1.operator.example, ns2.operator.example], hostmaster: hostmaster@operator.example }
`
const full = `apiVersion: mailwarden/v1
kind: Agent
spec:
  manifests: ./manifests
  state: ./var                            # register, evidence, outbox, sockets
  store: sqlite:./var/other.db
  operator: { name: Infomed, language: es, timeZone: America/Havana, officeHours: mon-fri 08:00-17:00, contacts: { support: gau@operator.example, security: seg@operator.example }, people: [{ name: ana, role: responder }, { name: berta, role: security-lead }] }
  national: { suffixes: [cu], domains: [], networks: [], countryData: null }
  mail: { mx: [{ host: mx1.operator.example, priority: 10 }], nameServers: [ns1.operator.example, ns2.operator.example], hostmaster: hostmaster@operator.example }
  providers:
    directory: { kind: embedded, file: ./var/directory.db }
    dns:       { kind: embedded, listen: 127.0.0.1:5353 }
    mail:      []
    lists:     { kind: embedded }
    notify:    { kind: spool, folder: ./var/outbox }
  listen: { policy: [127.0.0.1:10031, "unix:./var/policy.sock", "[::1]:0", { on: "systemd:policy", modes: { scope-send: observe } }], api: 127.0.0.1:8080 }
  schedule: { reconcile: "*/5 * * * *", audit: "0 6 * * *" }
  modes: { rate: observe }
  limits: { deletes: 7 }
`
const read = (text: string) => resolveConfig({ path: 'mailwarden.yaml', text }, '/etc/mw/mailwarden.yaml')

test('country data: a path alone means the countries of the suffixes', () => {
  const settingOf = (text: string) =>
    read(full.replace('countryData: null', `countryData: ${text}`)).config?.national.countryData
  expect(settingOf('null')).toBeNull()
  expect(settingOf('./country')).toEqual({ path: '/etc/mw/country', countries: ['cu'] })
  // Norway is a country, not a no.
  expect(settingOf('{ files: /srv/rir, countries: [NO, cu] }')).toEqual({ path: '/srv/rir', countries: ['cu', 'no'] })
})

describe('configuration', () => {
  test('systems of every kind, with paths made absolute and secrets left as references', () => {
    const { config, diagnostics } = read(
      full
        .replace(
          '{ kind: embedded, file: ./var/directory.db }',
          '{ kind: ldap, url: "ldap://ldap.example", base: "dc=x", bindDn: "cn=mw,dc=x", password: { file: ldap.pw }, ca: ca.pem, profile: iredmail }',
        )
        .replace(
          '{ kind: embedded, listen: 127.0.0.1:5353 }',
          '{ kind: rfc2136, server: "[::1]:53", key: { name: mw, secret: { credential: tsig } }, zones: { making: bind, folder: zones, include: our.conf } }',
        )
        .replace(
          'mail:      []',
          'mail: [{ kind: dovecot, name: imap1, url: "http://127.0.0.1:8080/doveadm/v1", apiKey: { env: KEY } }, { kind: postfix, name: mx1 }]',
        )
        .replace(
          'lists:     { kind: embedded }',
          'lists: { kind: mailman, url: "https://lists.example/3.1", password: { file: lists.pw }, topics: { changes: Cambios@lists.example, incidents: incidentes@lists.example } }',
        )
        .replace('kind: spool,', 'kind: smtp, server: 127.0.0.1:25, tls: none,'),
    )
    expect(diagnostics).toEqual([])
    expect(config?.providers).toEqual({
      lists: {
        kind: 'mailman',
        url: 'https://lists.example/3.1',
        user: 'restadmin',
        password: { from: 'file', path: '/etc/mw/lists.pw' },
        caFile: null,
        marksFolder: '/etc/mw/var/lists',
        topics: { changes: 'cambios@lists.example', incidents: 'incidentes@lists.example' },
      },
      directory: {
        kind: 'ldap',
        url: 'ldap://ldap.example',
        profile: 'iredmail',
        base: 'dc=x',
        bindDn: 'cn=mw,dc=x',
        password: { from: 'file', path: '/etc/mw/ldap.pw' },
        startTls: true,
        caFile: '/etc/mw/ca.pem',
      },
      dns: {
        kind: 'rfc2136',
        host: '::1',
        port: 53,
        key: { name: 'mw', algorithm: 'hmac-sha256', secret: { from: 'credential', name: 'tsig' } },
        zones: { kind: 'bind', folder: '/etc/mw/zones', include: '/etc/mw/our.conf', command: ['/usr/sbin/rndc'] },
      },
      mail: [
        {
          kind: 'dovecot',
          name: 'imap1',
          api: { url: 'http://127.0.0.1:8080/doveadm/v1', key: { from: 'env', name: 'KEY' }, caFile: null },
          command: ['/usr/bin/doveadm'],
          denyFile: null,
        },
        { kind: 'postfix', name: 'mx1', configFolder: '/etc/postfix' },
      ],
      notify: {
        kind: 'smtp',
        folder: '/etc/mw/var/outbox',
        host: '127.0.0.1',
        port: 25,
        tls: 'none',
        caFile: null,
        login: null,
      },
    })
  })

  test('lists in files of mlmmj', () => {
    const lists = 'lists: { kind: mlmmj, folder: ml, topics: { modifications: modificaciones@lists.example } }'
    const { config, diagnostics } = read(full.replace('lists:     { kind: embedded }', lists))
    expect(diagnostics).toEqual([])
    const topics = { modifications: 'modificaciones@lists.example' }
    expect(config?.providers.lists).toEqual({ kind: 'mlmmj', folder: '/etc/mw/ml', topics })
  })

  test('the smallest one has every default', () => {
    const { config, diagnostics } = read(example)
    expect(diagnostics).toEqual([])
    expect(config).toMatchObject({
      manifestsFolder: '/etc/mw/manifests',
      stateFolder: '/etc/mw/var',
      storeFile: '/etc/mw/var/mailwarden.db',
      witnessFiles: [expect.stringMatching(/register\.witness$/)],
      operator: { language: 'es', timeZone: 'America/Havana', officeHours: 'mon-fri 08:00-17:00', people: [] },
      national: { suffixes: ['cu'], domains: [], networks: [] },
      mail: { submission: 'mx1.operator.example', web: 'mx1.operator.example', reports: 'hostmaster@operator.example' },
      providers: {
        directory: { kind: 'embedded', file: '/etc/mw/var/directory.db' },
        dns: { kind: 'embedded', file: '/etc/mw/var/dns.db', listen: '127.0.0.1:5353' },
        lists: { kind: 'none' },
        notify: { kind: 'spool', folder: '/etc/mw/var/outbox' },
      },
      listen: { policy: [{ on: '127.0.0.1:10031', modes: {} }] },
      modes: {},
      schedule: { reconcile: '*/5 * * * *', audit: '0 6 * * *' },
      limits: { deletes: 5, updatePercent: 30, recipientsPerHour: 200, recipientsPerDay: 500 },
      signals: defaultSignals,
    })
  })

  test('thresholds of signals, one by one', () => {
    const text = full.replace(
      'limits: { deletes: 7 }',
      'signals: { unknownRecipients: { alert: 5 }, clients: { alert: 0 } }',
    )
    const { config, diagnostics } = read(text)
    expect(diagnostics).toEqual([])
    expect(config?.signals).toEqual({
      ...defaultSignals,
      unknownRecipients: { alert: 5, act: 50 },
      clients: { alert: 0 },
    })
    const wrong = read(text.replace('alert: 5', 'alert: -1'))
    expect(wrong.diagnostics).toMatchObject([
      { code: 'E-FIELD-RANGE', pointer: '/spec/signals/unknownRecipients/alert' },
    ])
  })

  test('the example of the contract, with sockets made absolute', () => {
    const { config, diagnostics } = read(full)
    expect(diagnostics).toEqual([])
    expect(config?.listen.policy).toEqual([
      { on: '127.0.0.1:10031', modes: {} },
      { on: 'unix:/etc/mw/var/policy.sock', modes: {} },
      { on: '[::1]:0', modes: {} },
      { on: 'systemd:policy', modes: { 'scope-send': 'observe' } },
    ])
    expect(config?.storeFile).toBe('/etc/mw/var/other.db')
    expect(config?.limits).toMatchObject({ deletes: 7, updatePercent: 30 })
    expect(config?.modes).toEqual({ rate: 'observe' })
  })

  test.each([
    ['store', 'sqlite:./var/other.db', 'postgres://u:geheim@db/x', 'E-UNSUPPORTED', '/spec/store'],
    ['store of no kind', 'sqlite:./var/other.db', './var/other.db', 'E-STORE', '/spec/store'],
    [
      'a field of another kind',
      'kind: embedded, listen: 127.0.0.1:5353',
      'kind: embedded, url: "http://h"',
      'E-FIELD-UNKNOWN',
      '/spec/providers/dns/url',
    ],
    [
      'a field that is needed',
      'kind: embedded, listen: 127.0.0.1:5353',
      'kind: powerdns, url: "http://h"',
      'E-FIELD-MISSING',
      '/spec/providers/dns',
    ],
    [
      'a secret in two places',
      'kind: embedded, listen: 127.0.0.1:5353',
      'kind: powerdns, url: http://h, apiKey: { env: A, file: b }',
      'E-SECRET-PLACE',
      '/spec/providers/dns/apiKey',
    ],
    [
      'a secret in an URL',
      'kind: embedded, listen: 127.0.0.1:5353',
      'kind: powerdns, url: "http://u:geheim@h", apiKey: { env: A }',
      'E-URL',
      '/spec/providers/dns/url',
    ],
    [
      'notices in the clear',
      'kind: spool',
      'kind: smtp, server: "mx.example:25", tls: none',
      'E-TLS-NEEDED',
      '/spec/providers/notify/tls',
    ],
    [
      'a mail host twice',
      'mail:      []',
      'mail: [{ kind: postfix, name: a }, { kind: dovecot, name: a }]',
      'E-DUPLICATE-NAME',
      '/spec/providers/mail/1/name',
    ],
    ['lists', 'lists:     { kind: embedded }', 'lists: { kind: mlmmj }', 'E-FIELD-MISSING', '/spec/providers/lists'],
    [
      'a list that is no address',
      'lists:     { kind: embedded }',
      'lists: { kind: mlmmj, topics: { incidents: incidentes } }',
      'E-ADDRESS',
      '/spec/providers/lists/topics/incidents',
    ],
    [
      'doors that nobody tries',
      '  schedule:',
      '  verify: { doors: [{ protocol: imap, server: "mx.example:993" }] }\n  schedule:',
      'E-FIELD-MISSING',
      '/spec/verify',
    ],
    [
      'a prober without a door',
      '  schedule:',
      '  verify: { master: { user: m, password: { env: A } } }\n  schedule:',
      'E-FIELD-MISSING',
      '/spec/verify',
    ],
    [
      'a delivery without a way in',
      '  schedule:',
      '  verify: { doors: [{ protocol: imap, server: "mx.example:993" }], master: { user: m, password: { env: A } }, delivery: true }\n  schedule:',
      'E-FIELD-MISSING',
      '/spec/verify',
    ],
    [
      'the password of the prober in the clear',
      '  schedule:',
      '  verify: { doors: [{ protocol: pop3, server: "mx.example:110", tls: none }], master: { user: m, password: { env: A } } }\n  schedule:',
      'E-TLS-NEEDED',
      '/spec/verify/doors/0/tls',
    ],
    [
      'the same door twice',
      '  schedule:',
      '  verify: { doors: [{ protocol: imap, server: "mx.example:993" }, { protocol: imap, server: "mx.example:993" }], master: { user: m, password: { env: A } } }\n  schedule:',
      'E-DUPLICATE-NAME',
      '/spec/verify/doors/1',
    ],
    [
      'a name server that is none',
      '  schedule:',
      '  verify: { nameServers: ["ns1"] }\n  schedule:',
      'E-LISTEN',
      '/spec/verify/nameServers/0',
    ],
    [
      'a password of Mailman in the clear',
      'lists:     { kind: embedded }',
      'lists: { kind: mailman, url: "http://lists.example/3.1", password: { env: A }, topics: {} }',
      'E-TLS-NEEDED',
      '/spec/providers/lists/url',
    ],
    [
      'a field of Mailman in mlmmj',
      'lists:     { kind: embedded }',
      'lists: { kind: mlmmj, marks: x, topics: {} }',
      'E-FIELD-UNKNOWN',
      '/spec/providers/lists/marks',
    ],
    [
      'country of more than two letters',
      'countryData: null',
      'countryData: { files: x, countries: [cuba] }',
      'E-COUNTRY-CODE',
      '/spec/national/countryData/countries/0',
    ],
    [
      'country data and no country',
      'suffixes: [cu], domains: [], networks: [], countryData: null',
      'suffixes: [example], countryData: x',
      'E-COUNTRY-CODE',
      '/spec/national/countryData',
    ],
    [
      'a field of country data misspelt',
      'countryData: null',
      'countryData: { files: x, country: [cu] }',
      'E-FIELD-UNKNOWN',
      '/spec/national/countryData/country',
    ],
    [
      'no country',
      'countryData: null',
      'countryData: { files: x, countries: [] }',
      'E-FIELD-EMPTY',
      '/spec/national/countryData/countries',
    ],
    ['kind misspelt', 'kind: spool', 'kind: spol', 'E-FIELD-VALUE', '/spec/providers/notify/kind'],
    ['time zone', 'America/Havana', 'America/Habana', 'E-TIME-ZONE', '/spec/operator/timeZone'],
    ['port', '127.0.0.1:10031', '127.0.0.1:99999', 'E-LISTEN', '/spec/listen/policy/0'],
    [
      'port of a listener with modes',
      '{ on: "systemd:policy"',
      '{ on: "systemd:"',
      'E-LISTEN',
      '/spec/listen/policy/3/on',
    ],
    ['dns port', '127.0.0.1:5353', '127.0.0.1', 'E-LISTEN', '/spec/providers/dns/listen'],
    ['schedule', '"0 6 * * *"', 'daily', 'E-SCHEDULE', '/spec/schedule/audit'],
    ['mx', 'mx1.operator.example', 'mx1', 'E-NAME', '/spec/mail/mx/0/host'],
    ['hostmaster', 'hostmaster@operator.example', 'hostmaster', 'E-ADDRESS', '/spec/mail/hostmaster'],
    ['contact', 'gau@operator.example', 'gau', 'E-ADDRESS', '/spec/operator/contacts/support'],
    ['suffix', 'suffixes: [cu]', 'suffixes: ["c u"]', 'E-NAME', '/spec/national/suffixes/0'],
    ['network', 'networks: []', 'networks: [10.0.0.1/8]', 'E-NETWORK', '/spec/national/networks/0'],
    ['people', 'name: berta', 'name: ana', 'E-DUPLICATE-NAME', '/spec/operator/people/1/name'],
    ['policy', 'rate: observe', 'rat: observe', 'E-FIELD-UNKNOWN', '/spec/modes/rat'],
    [
      'secret',
      'kind: embedded, file',
      'kind: embedded, bindPassword: geheim, file',
      'E-SECRET-VALUE',
      '/spec/providers/directory/bindPassword',
    ],
  ])('%s is refused', (_, from, to, code, pointer) => {
    expect(full).toContain(from)
    const { config, diagnostics } = read(full.replace(from, to))
    expect(config).toBeNull()
    expect(diagnostics.map(each => [each.code, each.pointer])).toEqual([[code, pointer]])
    expect(JSON.stringify(diagnostics)).not.toContain('geheim')
  })

  test('a manifest, two documents, nothing at all', () => {
    expect(read(example.replace('kind: Agent', 'kind: Institution')).diagnostics.map(({ code }) => code)).toEqual([
      'E-KIND',
    ])
    expect(read(`${example}---\n${example}`).diagnostics.map(({ code }) => code)).toEqual(['E-CONFIG-DOCUMENTS'])
    expect(read('').diagnostics.map(({ code }) => code)).toEqual(['E-CONFIG-DOCUMENTS'])
  })
})
