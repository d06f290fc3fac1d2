/** The agent's own configuration: the contract's example, its defaults, and what is refused. */
import { describe, expect, test } from 'vitest'
import { resolveConfig } from '../../agent/manifest/agent-document.ts'

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
  listen: { policy: [127.0.0.1:10031, "unix:./var/policy.sock", "[::1]:0"], api: 127.0.0.1:8080 }
  schedule: { reconcile: "*/5 * * * *", audit: "0 6 * * *" }
  modes: { rate: observe }
  limits: { deletes: 7 }
`
const read = (text: string) => resolveConfig({ path: 'mailwarden.yaml', text }, '/etc/mw/mailwarden.yaml')

describe('configuration', () => {
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
        notify: { kind: 'spool', folder: '/etc/mw/var/outbox' },
      },
      listen: { policy: ['127.0.0.1:10031'] },
      modes: {},
      schedule: { reconcile: '*/5 * * * *', audit: '0 6 * * *' },
      limits: { deletes: 5, updatePercent: 30, recipientsPerHour: 200, recipientsPerDay: 500 },
    })
  })

  test('the example of the contract, with sockets made absolute', () => {
    const { config, diagnostics } = read(full)
    expect(diagnostics).toEqual([])
    expect(config?.listen.policy).toEqual(['127.0.0.1:10031', 'unix:/etc/mw/var/policy.sock', '[::1]:0'])
    expect(config?.storeFile).toBe('/etc/mw/var/other.db')
    expect(config?.limits).toMatchObject({ deletes: 7, updatePercent: 30 })
    expect(config?.modes).toEqual({ rate: 'observe' })
  })

  test.each([
    ['store', 'sqlite:./var/other.db', 'postgres://u:geheim@db/x', 'E-UNSUPPORTED', '/spec/store'],
    ['store of no kind', 'sqlite:./var/other.db', './var/other.db', 'E-STORE', '/spec/store'],
    ['directory', 'kind: embedded, file', 'kind: ldap, file', 'E-UNSUPPORTED', '/spec/providers/directory/kind'],
    ['dns', 'kind: embedded, listen', 'kind: powerdns, listen', 'E-UNSUPPORTED', '/spec/providers/dns/kind'],
    ['notify', 'kind: spool', 'kind: smtp', 'E-UNSUPPORTED', '/spec/providers/notify/kind'],
    ['mail hosts', 'mail:      []', 'mail: [{ kind: postfix }]', 'E-UNSUPPORTED', '/spec/providers/mail/0'],
    ['country data', 'countryData: null', 'countryData: x.mmdb', 'E-UNSUPPORTED', '/spec/national/countryData'],
    ['kind misspelt', 'kind: spool', 'kind: spol', 'E-FIELD-VALUE', '/spec/providers/notify/kind'],
    ['time zone', 'America/Havana', 'America/Habana', 'E-TIME-ZONE', '/spec/operator/timeZone'],
    ['port', '127.0.0.1:10031', '127.0.0.1:99999', 'E-LISTEN', '/spec/listen/policy/0'],
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
