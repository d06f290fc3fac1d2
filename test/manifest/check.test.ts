/** Every refusal of mission section 2 that manifests can meet: code, place, pointer, and what it blocks. */
import { describe, expect, test } from 'vitest'
import { changed, check, type Surroundings, sampleRoster, sampleText, textAt } from './sample.ts'

const institution = 'institution:hospital-calixto-garcia'
const domain = 'domain:hcg.sld.cu'
const jperez = 'account:jperez@hcg.sld.cu'
const mlopez = 'account:mlopez@hcg.sld.cu'

type Case = {
  readonly code: string
  readonly name: string
  readonly text: string
  /** What the place points at. */
  readonly at: string
  readonly pointer: string
  readonly blocks: readonly string[]
  readonly meant?: string
  readonly around?: Surroundings
}

function row(
  code: string,
  name: string,
  change: readonly [string | RegExp, string] | string,
  at: string,
  pointer: string,
  blocks: string | readonly string[],
  more: { meant?: string; around?: Surroundings } = {},
): Case {
  const text = typeof change === 'string' ? change : changed(change[0], change[1])
  return { code, name, text, at, pointer, blocks: typeof blocks === 'string' ? [blocks] : blocks, ...more }
}

const account0 = '/spec/accounts/0'
const request0 = '/spec/requests/0'
const second = (spec: string) => `${sampleText}---\napiVersion: mailwarden/v1\n${spec}\n`
const extra = (record: string) => ['{ name: www, type: A, values: [192.0.2.10] }', record] as const
const roster = (text: string) => ({ around: { attachments: { 'rosters/hcg.csv': text } } })

const cases: readonly Case[] = [
  row('E-DOMAIN-OWNER', 'no owner', ['  institution: hospital-calixto-garcia\n', ''], 'spec', '/spec', domain),
  row(
    'E-DOMAIN-OWNER',
    'a list of owners',
    ['institution: hospital-calixto-garcia', 'institution: [a, b]'],
    'institution',
    '/spec/institution',
    domain,
  ),
  row(
    'E-DOMAIN-OWNER',
    'declared twice',
    second(
      'kind: MailDomain\nmetadata: { name: HCG.sld.cu. }\nspec: { institution: hospital-calixto-garcia, delivery: mailboxes, administrator: { login: admin }, limits: { accounts: 5, storage: 1GiB } }',
    ),
    'HCG.sld.cu.',
    '/metadata/name',
    domain,
  ),
  row(
    'E-INSTITUTION-UNKNOWN',
    'a typing error',
    ['institution: hospital-calixto-garcia\n  delivery', 'institution: hospital-calixto-garci\n  delivery'],
    'hospital-calixto-garci',
    '/spec/institution',
    domain,
    { meant: 'hospital-calixto-garcia' },
  ),
  row('E-CONTRACT-MISSING', 'none', [/ {2}contract:[\s\S]*?(?= {2}capacity:)/, ''], 'spec', '/spec', institution),
  row(
    'E-CONTRACT-EXPIRED',
    'over',
    ['validUntil: 2029-03-01', 'validUntil: 2026-04-30'],
    '2026-04-30',
    '/spec/contract/validUntil',
    institution,
  ),
  row(
    'E-CONTRACT-EXPIRED',
    'signed in the future',
    ['signedOn: 2026-03-02\n', 'signedOn: 2026-05-02\n'],
    '2026-05-02',
    '/spec/contract/signedOn',
    institution,
  ),
  row(
    'E-CONTRACT-EXPIRED',
    'ends before it begins',
    [/signedOn: 2026-03-02\n.*validUntil: 2029-03-01/, 'signedOn: 2025-03-02\n    validUntil: 2025-01-01'],
    '2025-01-01',
    '/spec/contract/validUntil',
    institution,
  ),
  row(
    'E-SUPPLEMENT-3',
    'another type',
    ['type: 3', 'type: 2'],
    'supplements',
    '/spec/contract/supplements',
    institution,
  ),
  row('E-SUPPLEMENT-3', 'none', [/ {4}supplements:\n.*\n/, ''], 'contract', '/spec/contract', institution),
  row(
    'E-SUPPLEMENT-3',
    'not signed yet',
    ['type: 3, signedOn: 2026-03-02', 'type: 3, signedOn: 2026-06-01'],
    '2026-06-01',
    '/spec/contract/supplements/0/signedOn',
    institution,
  ),
  row(
    'E-REPRESENTATIVE',
    'none today',
    ['from: 2026-03-02', 'from: 2026-05-02'],
    'representatives',
    '/spec/representatives',
    institution,
  ),
  row(
    'E-REPRESENTATIVE',
    'two from one day',
    [
      '    - { name: Luis',
      '    - { name: Eva Paz, id: HCG-1, email: e@correo.example, from: 2026-03-02 }\n    - { name: Luis',
    ],
    '2026-03-02',
    '/spec/representatives/1/from',
    institution,
  ),
  row(
    'E-REPRESENTATIVE',
    'the director, without accents',
    ['name: Luis Mora', 'name: ANA RUIZ PEREZ'],
    'ANA RUIZ PEREZ',
    '/spec/representatives/0/name',
    institution,
  ),
  row(
    'E-CENTRAL-CAPACITY',
    'room nationally',
    ['used: 120000', 'used: 119999'],
    '119999',
    '/spec/capacity/national/used',
    institution,
  ),
  row(
    'E-CENTRAL-CAPACITY',
    'room in the province',
    ['used: 8000 ', 'used: 7999 '],
    '7999',
    '/spec/capacity/provincial/used',
    institution,
  ),
  row('E-CAPACITY-UNKNOWN', 'none', [/ {2}capacity:[\s\S]*?(?= {2}networks:)/, ''], 'spec', '/spec', institution),
  row(
    'E-CAPACITY-UNKNOWN',
    'over',
    ['validUntil: 2027-02-19', 'validUntil: 2026-04-30'],
    '2026-04-30',
    '/spec/capacity/validUntil',
    institution,
  ),
  row(
    'E-CAPACITY-UNKNOWN',
    'of tomorrow',
    ['determinedOn: 2026-02-20', 'determinedOn: 2026-05-02'],
    '2026-05-02',
    '/spec/capacity/determinedOn',
    institution,
  ),
  row('E-CAPACITY-LEVEL', 'one level', [/ {4}provincial: .*\n/, ''], 'capacity', '/spec/capacity', institution),
  row(
    'E-ACCOUNT-NO-REQUEST',
    'a typing error',
    ['request: SC-2026-014\n      send', 'request: SC-2026-041\n      send'],
    'SC-2026-041',
    `${account0}/request`,
    jperez,
    { meant: 'SC-2026-014' },
  ),
  row(
    'E-ACCOUNT-NO-REQUEST',
    'missing',
    ['      request: SC-2026-014\n      send', '      send'],
    'name',
    account0,
    jperez,
  ),
  row('E-AGREEMENT', 'missing', [/ {6}agreement: .*\n/, ''], 'number', request0, [jperez, mlopez]),
  row('E-AGREEMENT', 'no approval', ['      approvedBy: director\n', ''], 'number', request0, [jperez, mlopez]),
  row(
    'E-AGREEMENT-NUMBER',
    'in the future',
    ['date: 2026-04-03', 'date: 2026-05-02'],
    '2026-05-02',
    `${request0}/agreement/date`,
    [jperez, mlopez],
  ),
  row(
    'E-AGREEMENT-NUMBER',
    'without a digit',
    ['number: "41"', 'number: nuevo'],
    'nuevo',
    `${request0}/agreement/number`,
    [jperez, mlopez],
  ),
  row(
    'E-AGREEMENT-NUMBER',
    'date of the wrong form',
    ['date: 2026-04-03', 'date: 3 de octubre'],
    '3 de octubre',
    `${request0}/agreement/date`,
    [jperez, mlopez],
  ),
  row(
    'E-AGREEMENT-NUMBER',
    'the same number with another date',
    [
      '  accounts:\n',
      '    - { number: SC-9, agreement: { number: "41", date: 2026-04-10 }, filedBy: HCG-0042, approvedBy: director, signed: true, stamped: true }\n  accounts:\n',
    ],
    '"41"',
    '/spec/requests/1/agreement/number',
    [],
  ),
  row('E-UNSIGNED', 'false', ['signed: true', 'signed: false'], 'false', `${request0}/signed`, [jperez, mlopez]),
  row('E-UNSIGNED', 'missing', ['      signed: true\n', ''], 'number', request0, [jperez, mlopez]),
  row('E-UNSTAMPED', 'false', ['stamped: true', 'stamped: false'], 'false', `${request0}/stamped`, [jperez, mlopez]),
  row(
    'E-NOT-REPRESENTATIVE',
    'someone else',
    ['filedBy: HCG-0042', 'filedBy: HCG-0117'],
    'HCG-0117',
    `${request0}/filedBy`,
    [jperez, mlopez],
  ),
  row('E-NOT-REPRESENTATIVE', 'missing', ['      filedBy: HCG-0042\n', ''], 'number', request0, [jperez, mlopez]),
  row(
    'E-NOT-REPRESENTATIVE',
    'replaced before the agreement',
    [
      'from: 2026-03-02 }',
      'from: 2026-03-02 }\n    - { name: Eva Paz, id: HCG-1, email: e@correo.example, from: 2026-04-01 }',
    ],
    'HCG-0042',
    `${request0}/filedBy`,
    [jperez, mlopez],
  ),
  row(
    'E-SAME-PERSON',
    'files and approves',
    ['approvedBy: director', 'approvedBy: HCG-0042'],
    'HCG-0042',
    `${request0}/approvedBy`,
    [jperez, mlopez],
  ),
  row(
    'E-DELEGATION',
    'approves without one',
    ['approvedBy: director', 'approvedBy: HCG-0099'],
    'HCG-0099',
    `${request0}/approvedBy`,
    [jperez, mlopez],
  ),
  row('E-PURPOSE', 'blank', ['purpose: docencia', 'purpose: " "'], '" "', `${account0}/holder/purpose`, jperez),
  row('E-PURPOSE', 'missing', ['purpose: docencia, ', ''], 'holder', `${account0}/holder`, jperez),
  row('E-PURPOSE', 'no holder', [/ {6}holder: .*\n/, ''], 'name', account0, jperez),
  row('E-PURPOSE', 'empty holder', [/holder: \{ name: Juan.*\n/, 'holder:\n'], 'holder', `${account0}/holder`, jperez),
  row(
    'E-NOT-MEMBER',
    'not on the roster',
    ['id: HCG-0117', 'id: HCG-0118'],
    'HCG-0118',
    `${account0}/holder/id`,
    jperez,
  ),
  row('E-NOT-MEMBER', 'left', sampleText, 'HCG-0201', '/spec/accounts/1/holder/id', mlopez, {
    around: { today: '2026-05-02' },
  }),
  row(
    'E-SCOPE-AUTHORITY',
    'send',
    ['approvedBy: director', 'approvedBy: HCG-1\n      delegation: evidence/d.pdf'],
    'international',
    `${account0}/send`,
    jperez,
  ),
  row(
    'E-SCOPE-AUTHORITY',
    'exception',
    [/approvedBy: director([\s\S]*) {6}send: international\n/, 'approvedBy: HCG-1\n      delegation: evidence/d.pdf$1'],
    'who.int',
    `${account0}/except/0/send`,
    jperez,
  ),
  row(
    'E-OFF-LAN',
    'unsigned request',
    [/signed: true([\s\S]*)access: institution\n {6}aliases/, 'signed: false$1access: national\n      aliases'],
    'national',
    `${account0}/access`,
    jperez,
  ),
  row(
    'E-OFF-LAN',
    'exception without request',
    ['2026-09-30, request: SC-2026-014', '2026-09-30, request: SC-9'],
    'SC-9',
    `${account0}/except/1/request`,
    jperez,
  ),
  row(
    'E-OFF-LAN',
    'alias outside',
    ['[juan.perez]', '[juan@gmail.example]'],
    'juan@gmail.example',
    `${account0}/aliases/0`,
    jperez,
  ),
  row(
    'E-OFF-LAN',
    'forward',
    ['      aliases:', '      forward: juan@gmail.example\n      aliases:'],
    'forward',
    `${account0}/forward`,
    jperez,
  ),
  row('E-WAIVER', 'no end', [', until: 2026-06-30 }', ' }'], 'spec', '/spec', []),
  row('E-WAIVER', 'no reason', ['reason: mudanza, ', ''], 'spec', '/spec', []),
  row('E-WAIVER', 'blank owner', ['owner: ana', 'owner: " "'], '" "', '/spec/owner', []),
  row('E-WAIVER', 'S35', ['C-DNS-02', 'C-ACC-03'], 'C-ACC-03', '/spec/control', []),
  row('E-WAIVER', 'S35, leavers', ['C-DNS-02', 'C-ACC-07'], 'C-ACC-07', '/spec/control', []),
  row('E-WAIVER', 'S39', ['C-DNS-02', 'C-INC-03'], 'C-INC-03', '/spec/control', []),
  row('E-WAIVER', 'S39, evidence', ['C-DNS-02', 'C-INC-04'], 'C-INC-04', '/spec/control', []),
  row('E-WAIVER', 'unknown control', ['C-DNS-02', 'C-DNS-20'], 'C-DNS-20', '/spec/control', [], { meant: 'C-DNS-02' }),
  row('E-WAIVER', 'ends first', ['until: 2026-06-30 }', 'until: 2026-03-30 }'], '2026-03-30', '/spec/until', []),
  row('E-WAIVER', 'end of the wrong form', ['until: 2026-06-30 }', 'until: junio }'], 'junio', '/spec/until', []),
  row('E-FIELD-UNKNOWN', 'a typing error', ['aliases:', 'alises:'], 'alises', `${account0}/alises`, jperez, {
    meant: 'aliases',
  }),
  row(
    'E-FIELD-VALUE',
    'a word',
    ['send: international', 'send: internacional'],
    'internacional',
    `${account0}/send`,
    jperez,
    { meant: 'international' },
  ),
  row(
    'E-FIELD-TYPE',
    'of an institution',
    ['province: La Habana', 'province: [La Habana]'],
    'province',
    '/spec/province',
    institution,
  ),
  row(
    'E-FIELD-TYPE',
    'leading zeros of a number',
    ['accounts: 50', 'accounts: 050'],
    '050',
    '/spec/limits/accounts',
    domain,
  ),
  row('E-FIELD-RANGE', 'negative', ['accounts: 50', 'accounts: -1'], '-1', '/spec/limits/accounts', domain),
  row(
    'E-FIELD-MISSING',
    'title',
    ['  title: Hospital Universitario General Calixto García\n', ''],
    'spec',
    '/spec',
    institution,
  ),
  row('E-FIELD-MISSING', 'of an account', [', id: HCG-0117', ''], 'holder', `${account0}/holder`, jperez),
  row(
    'E-FIELD-EMPTY',
    'title',
    ['title: Hospital Universitario General Calixto García', 'title: ""'],
    '""',
    '/spec/title',
    institution,
  ),
  row(
    'E-FIELD-LONG',
    'title',
    ['title: Hospital', `title: ${'a'.repeat(2001)}`],
    `${'a'.repeat(2001)} Universitario General Calixto García`,
    '/spec/title',
    institution,
  ),
  row('E-SIZE', 'without unit', ['2GiB', '2'], '2', '/spec/limits/storage', domain),
  row('E-SIZE', 'beyond what can be counted', ['2GiB', '999999999TiB'], '999999999TiB', '/spec/limits/storage', domain),
  row(
    'E-DAY',
    'not in the calendar',
    ['signedOn: 2026-03-02\n', 'signedOn: 2026-02-30\n'],
    '2026-02-30',
    '/spec/contract/signedOn',
    institution,
  ),
  row(
    'E-DAY',
    'of an exception',
    ['until: 2026-12-31', 'until: 31/12/2026'],
    '31/12/2026',
    `${account0}/except/0/until`,
    jperez,
  ),
  row(
    'E-NAME',
    'institution',
    [/hospital-calixto-garcia/g, 'Hospital_CG'],
    'Hospital_CG',
    '/metadata/name',
    'institution:Hospital_CG',
  ),
  row('E-NAME', 'administrator', ['login: admin', 'login: Admin'], 'Admin', '/spec/administrator/login', domain, {
    meant: 'admin',
  }),
  row('E-NAME', 'account', ['name: jperez', 'name: JPerez'], 'JPerez', `${account0}/name`, jperez, { meant: 'jperez' }),
  row('E-NAME', 'server', ['host: mail.hcg.sld.cu', 'host: mail_hcg'], 'mail_hcg', '/spec/servers/0/host', institution),
  row('E-NAME', 'full-width dot', ['send: who.int', 'send: who。int'], 'who。int', `${account0}/except/0/send`, jperez),
  row(
    'E-ADDRESS',
    'director',
    ['email: aruiz@directores.example', 'email: aruiz'],
    'aruiz',
    '/spec/director/email',
    institution,
  ),
  row(
    'E-NETWORK',
    'leading zeros',
    ['10.20.0.0/16', '010.20.0.0/16'],
    '010.20.0.0/16',
    '/spec/networks/0',
    institution,
  ),
  row(
    'E-NETWORK',
    'hexadecimal',
    ['10.20.0.0/16', '0x0a.20.0.0/16'],
    '0x0a.20.0.0/16',
    '/spec/networks/0',
    institution,
  ),
  row('E-NETWORK', 'two parts', ['10.20.0.0/16', '10.20/16'], '10.20/16', '/spec/networks/0', institution),
  row('E-NETWORK', 'host bits', ['10.20.0.0/16', '10.20.0.5/16'], '10.20.0.5/16', '/spec/networks/0', institution, {
    meant: '10.20.0.0/16',
  }),
  row('E-NETWORK', 'everything', ['10.20.0.0/16', '0.0.0.0/0'], '0.0.0.0/0', '/spec/networks/0', institution),
  row('E-NETWORK', 'zone', ['2001:db8:20::/48', 'fe80::1%eth0'], '"fe80::1%eth0"', '/spec/networks/1', institution),
  row('E-PATH', 'upwards', ['rosters/hcg.csv', '../../etc/passwd'], '../../etc/passwd', '/spec/roster', institution),
  row(
    'E-PATH',
    'absolute',
    ['evidence/contrato-118.pdf', '/etc/passwd'],
    '/etc/passwd',
    '/spec/contract/document',
    institution,
  ),
  row(
    'E-DUPLICATE-NAME',
    'institution',
    second(
      'kind: Institution\nmetadata: { name: hospital-calixto-garcia }\nspec: { title: a, province: b, director: { name: c } }',
    ),
    'hospital-calixto-garcia',
    '/metadata/name',
    institution,
  ),
  row(
    'E-DUPLICATE-NAME',
    'list',
    second('kind: AccountList\nmetadata: { name: hcg.sld.cu }\nspec: { domain: hcg.sld.cu, accounts: [] }'),
    'hcg.sld.cu',
    '/metadata/name',
    [],
  ),
  row(
    'E-DUPLICATE-NAME',
    'waiver',
    second(
      'kind: Waiver\nmetadata: { name: hcg-spf-2026 }\nspec: { control: C-DNS-01, subject: hcg.sld.cu, reason: a, owner: b, approvedBy: c, from: 2026-01-01, until: 2026-12-31 }',
    ),
    'hcg-spf-2026',
    '/metadata/name',
    [],
  ),
  row('E-DUPLICATE-ACCOUNT', 'account', ['name: mlopez', 'name: jperez'], 'jperez', '/spec/accounts/1/name', jperez),
  row(
    'E-DUPLICATE-ACCOUNT',
    'alias of an account that comes later',
    ['[juan.perez]', '[mlopez]'],
    'mlopez',
    `${account0}/aliases/0`,
    jperez,
  ),
  row(
    'E-DUPLICATE-ACCOUNT',
    'two aliases',
    ['    - { name: mlopez,', '    - { name: mlopez, aliases: [juan.perez],'],
    'juan.perez',
    '/spec/accounts/1/aliases/0',
    mlopez,
  ),
  row(
    'E-NAME-RESERVED',
    'administrator',
    ['name: jperez', 'name: admin'],
    'admin',
    `${account0}/name`,
    'account:admin@hcg.sld.cu',
  ),
  row(
    'E-NAME-RESERVED',
    'collector',
    ['name: jperez', 'name: multipop'],
    'multipop',
    `${account0}/name`,
    'account:multipop@hcg.sld.cu',
  ),
  row('E-NAME-RESERVED', 'postmaster', ['[juan.perez]', '[postmaster]'], 'postmaster', `${account0}/aliases/0`, jperez),
  row(
    'E-NAME-RESERVED',
    'abuse as collector',
    ['login: multipop', 'login: abuse'],
    'abuse',
    '/spec/collector/login',
    domain,
  ),
  row(
    'E-NAME-RESERVED',
    'collector as administrator',
    ['login: multipop', 'login: admin'],
    'admin',
    '/spec/collector/login',
    domain,
  ),
  row(
    'E-DOMAIN-UNKNOWN',
    'a typing error',
    ['  domain: hcg.sld.cu', '  domain: hgc.sld.cu'],
    'hgc.sld.cu',
    '/spec/domain',
    'domain:hgc.sld.cu',
    { meant: 'hcg.sld.cu' },
  ),
  row('E-COLLECTOR', 'missing', ['  collector: { login: multipop }\n', ''], 'multipop', '/spec/delivery', domain),
  row('E-COLLECTOR', 'needless', ['delivery: multipop', 'delivery: mailboxes'], 'collector', '/spec/collector', domain),
  row(
    'E-EXCEPTION',
    'two things',
    ['{ send: who.int,', '{ send: who.int, receive: who.int,'],
    'send',
    `${account0}/except/0`,
    jperez,
  ),
  row('E-EXCEPTION', 'nothing', ['{ send: who.int, until', '{ until'], 'until', `${account0}/except/0`, jperez),
  row(
    'E-REQUEST-DUPLICATE',
    'in one list',
    [
      '  accounts:\n',
      '    - { number: SC-2026-014, agreement: { number: "41", date: 2026-04-03 }, filedBy: HCG-0042, approvedBy: director, signed: true, stamped: true }\n  accounts:\n',
    ],
    'SC-2026-014',
    '/spec/requests/1/number',
    [],
  ),
  row(
    'E-RECORD-NAME',
    'outside',
    extra('{ name: www.other.cu., type: A, values: [192.0.2.10] }'),
    'www.other.cu.',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'MX',
    extra('{ name: "@", type: MX, values: [10 mx.other.cu] }'),
    '"@"',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'SPF',
    extra('{ name: "@", type: TXT, values: ["v=spf1 +all"] }'),
    '"@"',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'NS',
    extra('{ name: hcg.sld.cu., type: NS, values: [ns.other.cu] }'),
    'hcg.sld.cu.',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'DMARC',
    extra('{ name: _DMARC, type: TXT, values: [v=DMARC1] }'),
    '_DMARC',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'DKIM',
    extra('{ name: x._domainkey, type: TXT, values: [a] }'),
    'x._domainkey',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'delegated away',
    extra('{ name: _tcp, type: NS, values: [ns.other.cu] }'),
    '_tcp',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-DERIVED',
    'SRV',
    extra('{ name: _submission._tcp, type: SRV, values: [0 1 587 a.other.cu] }'),
    '_submission._tcp',
    '/spec/dns/extra/0/name',
    domain,
  ),
  row(
    'E-RECORD-TTL',
    'two times to live',
    extra('{ name: www, type: A, values: [192.0.2.10], ttl: 60 }, { name: WWW, type: A, values: [192.0.2.11] }'),
    'name',
    '/spec/dns/extra/1',
    domain,
  ),
  row(
    'E-RECORD-CNAME',
    'not alone',
    extra('{ name: www, type: A, values: [192.0.2.10] }, { name: www, type: CNAME, values: [a.other.cu] }'),
    'name',
    '/spec/dns/extra/1',
    domain,
  ),
  row(
    'E-RECORD-VALUE',
    'address',
    extra('{ name: www, type: A, values: [192.0.2.256] }'),
    '192.0.2.256',
    '/spec/dns/extra/0/values/0',
    domain,
  ),
  row(
    'E-RECORD-VALUE',
    'one label',
    extra('{ name: www, type: CNAME, values: [web] }'),
    'web',
    '/spec/dns/extra/0/values/0',
    domain,
    { meant: 'web.hcg.sld.cu' },
  ),
  row(
    'E-RECORD-VALUE',
    'SRV',
    extra('{ name: _sip._tcp, type: SRV, values: [0 1 99999 sip.other.cu] }'),
    '0 1 99999 sip.other.cu',
    '/spec/dns/extra/0/values/0',
    domain,
  ),
  row(
    'E-SECRET-VALUE',
    'password',
    ['administrator: { login: admin }', 'administrator: { login: admin, password: x }'],
    'password',
    '/spec/administrator/password',
    domain,
  ),
  row('E-KIND', 'a typing error', ['kind: Waiver', 'kind: Waver'], 'Waver', '/kind', [], { meant: 'Waiver' }),
  row(
    'E-API-VERSION',
    'another',
    ['apiVersion: mailwarden/v1\nkind: Waiver', 'apiVersion: mailwarden/v2\nkind: Waiver'],
    'mailwarden/v2',
    '/apiVersion',
    [],
    { meant: 'mailwarden/v1' },
  ),
  row('E-DOCUMENT', 'a list', `${sampleText}---\n- a\n`, '-', '', []),
  row('E-DOCUMENT-NAME', 'none', [/metadata: \{ name: hcg-spf-2026 \}\n/, ''], 'apiVersion', '', []),
]

describe('each mistake has its code, its place, and blocks nothing else', () => {
  test.each(cases.map(each => [`${each.code} ${each.name}`, each] as const))('%s', (_, each) => {
    const estate = check(each.text, each.around)
    const found = estate.diagnostics.filter(({ code }) => code === each.code)
    expect(found.map(({ pointer }) => pointer)).toContain(each.pointer)
    const [diagnostic] = found.filter(({ pointer }) => pointer === each.pointer)
    expect(textAt(each.text, diagnostic?.place)).toBe(each.at)
    expect(diagnostic?.severity).toBe('error')
    expect(diagnostic?.suggestion).toBe(each.meant)
    const blocking = [...estate.blocked].filter(([, list]) => list.includes(diagnostic!)).map(([subject]) => subject)
    expect(blocking.toSorted()).toEqual(each.blocks.toSorted())
  })
})

test('the sample is in order on its day', () => {
  const estate = check(sampleText)
  expect(estate.diagnostics).toEqual([])
  expect(estate.blocked.size).toBe(0)
  const { accounts } = estate.estates.get('hospital-calixto-garcia')!
  expect(accounts.map(({ address }) => address)).toEqual([
    'jperez@hcg.sld.cu',
    'mlopez@hcg.sld.cu',
    'exempleado@hcg.sld.cu',
  ])
})

test.each([
  ['W-DOCUMENT', check(sampleText, { missing: ['evidence/contrato-118.pdf'] }), '/spec/contract/document'],
  ['W-ROSTER', check(sampleText, { attachments: {} }), '/spec/roster'],
  ['W-NO-ROSTER', check(changed('  roster: rosters/hcg.csv\n', '')), '/metadata/name'],
  ['W-NO-NETWORKS', check(changed(/ {2}networks: .*\n/, '')), '/metadata/name'],
  ['W-NO-SERVER', check(changed('role: [collect, relay]', 'role: [relay]')), '/spec/delivery'],
  ['W-DIRECTOR-ADDRESS', check(changed('aruiz@directores.example', 'aruiz@hcg.sld.cu')), '/spec/director/email'],
  ['W-DIRECTOR-ADDRESS', check(changed(', email: aruiz@directores.example', '')), '/spec/director'],
  [
    'W-REPRESENTATIVE-ADDRESS',
    check(changed('lmora@correo.example', 'lmora@sub.hcg.sld.cu')),
    '/spec/representatives/0/email',
  ],
  [
    'W-ACCESS-STANDING',
    check(changed('access: institution\n      aliases', 'access: national\n      aliases')),
    '/spec/accounts/0/access',
  ],
  ['W-EXCEPTION-OVER', check(changed('until: 2026-12-31', 'until: 2026-04-30')), '/spec/accounts/0/except/0/until'],
  ['W-WAIVER-OVER', check(changed('until: 2026-06-30 }', 'until: 2026-04-30 }')), '/spec/until'],
  ['W-WAIVER-SUBJECT', check(changed('subject: hcg.sld.cu', 'subject: other.cu')), '/spec/subject'],
])('%s warns and blocks nothing', (code, estate, pointer) => {
  expect(estate.diagnostics.map(each => [each.code, each.pointer, each.severity])).toEqual([[code, pointer, 'warning']])
  expect(estate.blocked.size).toBe(0)
})

test.each([
  ['no header', 'a,b\n', 1],
  ['an open quote', 'id,name,post,until\n1,"a,b,\n', 2],
  ['a day that is none', `${sampleRoster}9,a,b,mañana\n`, 5],
  ['a column too many', `${sampleRoster}9,a,b,,\n`, 5],
])('a roster with %s names its line and says of nobody that they left', (_, text, line) => {
  const { diagnostics } = check(sampleText, roster(text).around)
  expect(diagnostics.map(({ code }) => code)).toEqual(['E-ROSTER'])
  expect(diagnostics[0]?.place).toEqual({ file: 'rosters/hcg.csv', line, column: 1 })
  expect(diagnostics[0]?.related?.[0]?.label).toBe('named')
})

test('a spreadsheet roster with semicolons, quotes and a byte order mark is read', () => {
  const text = '\ufeffid;name;post;until\r\n"HCG-0117";"Pérez; Juan";;\r\nHCG-0201;M;;2026-12-31\r\n'
  expect(check(sampleText, roster(text).around).diagnostics).toEqual([])
})
