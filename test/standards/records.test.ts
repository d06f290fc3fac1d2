/** SPF, DKIM, DMARC, MTA-STS and TLS-RPT: format then parse is identity, and nothing malformed is taken for sound. */
import { createPrivateKey, createPublicKey, createSign, createVerify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDkim, generateDkimKey, parseDkim, parseTagList, selectorOf } from '../../agent/standards/dkim.ts'
import {
  dmarc,
  dmarcPolicies,
  externalReportName,
  formatDmarc,
  parseDmarc,
  reportUri,
} from '../../agent/standards/dmarc.ts'
import {
  formatMtaSts,
  formatMtaStsPolicy,
  mtaStsId,
  parseMtaSts,
  parseMtaStsPolicy,
  policyAgeMax,
} from '../../agent/standards/mta-sts.ts'
import {
  checkSpf,
  countLookUps,
  directive,
  formatSpf,
  type Mechanism,
  parseSpf,
  type SpfTerm,
} from '../../agent/standards/spf.ts'
import { formatTlsRpt, parseTlsRpt } from '../../agent/standards/tls-rpt.ts'

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/)
const domain = fc.array(label, { minLength: 2, maxLength: 4 }).map(labels => labels.join('.'))
const prefix = (max: number) => fc.option(fc.integer({ min: 0, max }))
const address = fc.tuple(fc.stringMatching(/^[a-z][a-z0-9._+-]{0,10}$/), domain).map(parts => parts.join('@'))

const mechanism: fc.Arbitrary<Mechanism> = fc.oneof(
  fc.constant({ name: 'all' } as const),
  fc.record({
    name: fc.constantFrom('include' as const, 'exists' as const),
    domain: fc.oneof(domain, fc.constant('%{ir}.%{v}._spf.%{d2}')),
  }),
  fc.record({ name: fc.constant('ptr' as const), domain: fc.option(domain) }),
  fc.record({
    name: fc.constantFrom('a' as const, 'mx' as const),
    domain: fc.option(domain),
    prefix4: prefix(32),
    prefix6: prefix(128),
  }),
  fc.record({ name: fc.constant('ip4' as const), address: fc.ipV4(), prefix: prefix(32) }),
  fc.record({ name: fc.constant('ip6' as const), address: fc.ipV6(), prefix: prefix(128) }),
)
const term: fc.Arbitrary<SpfTerm> = fc.oneof(
  fc.record({
    kind: fc.constant('directive' as const),
    qualifier: fc.constantFrom('+' as const, '-', '~', '?'),
    mechanism,
  }),
  fc.record({ kind: fc.constant('modifier' as const), name: fc.constantFrom('unknown', 'x-y'), value: domain }),
)

describe('SPF (RFC 7208)', () => {
  test('format then parse is identity', () => {
    fc.assert(
      fc.property(fc.array(term, { maxLength: 8 }), terms => {
        expect(parseSpf(formatSpf({ terms }))).toEqual({ terms })
      }),
    )
  })

  test('records of the standard and of the field', () => {
    for (const text of [
      'v=spf1 mx -all',
      'v=spf1 a mx:example.org/28 ip6:2001:db8::/32 ~all',
      'v=spf1 include:_spf.operator.example redirect=_spf.example.com',
      'v=spf1 a:mail.example.com/24//64 exists:%{ir}.sbl.example.org ?all',
      'v=spf1',
    ])
      expect(formatSpf(parseSpf(text)!)).toBe(text)
    expect(formatSpf(parseSpf('V=SPF1  +MX   -ALL ')!)).toBe('v=spf1 mx -all')
  })

  test.each([
    'v=spf2 -all',
    'v=spf1-all',
    'v=spf1 ip4:192.0.2.300 -all',
    'v=spf1 ip4:192.0.2.1/33',
    'v=spf1 ip4:192.0.2',
    'v=spf1 ip6:192.0.2.1',
    'v=spf1 mx/33',
    'v=spf1 mx//129',
    'v=spf1 all:example.org',
    'v=spf1 include',
    'v=spf1 include:',
    'v=spf1 include:%{x}.example.org',
    'v=spf1 include:localhost',
    'v=spf1 foo:example.org',
    'v=spf1 redirect=a.example redirect=b.example',
    'v=spf1 =x',
    '',
  ])('%j is no record', text => {
    expect(parseSpf(text)).toBeUndefined()
  })

  test('more than ten look-ups are too many, redirects and includes counted, loops ended', () => {
    const includes = (count: number) =>
      `v=spf1 ${Array.from({ length: count }, (_, index) => `include:s${index}.example`).join(' ')} -all`
    expect(checkSpf([includes(10)])).toBeNull()
    expect(checkSpf([includes(11)])).toBe('too-many-look-ups')
    const six = parseSpf('v=spf1 a mx ptr a:a.example mx:b.example exists:c.example -all')!
    expect(countLookUps(six)).toBe(6)
    expect(checkSpf([includes(2)], name => (name === 's0.example' ? six : undefined))).toBeNull()
    expect(checkSpf([includes(3)], name => (name.endsWith('.example') ? six : undefined))).toBe('too-many-look-ups')
    const loop = parseSpf('v=spf1 include:loop.example redirect=loop.example')!
    expect(countLookUps(loop, () => loop)).toBeGreaterThan(10)
    expect(countLookUps(parseSpf('v=spf1 -all redirect=a.example')!)).toBe(0)
    expect(countLookUps(parseSpf('v=spf1 ip4:192.0.2.1 a mx ptr exists:a.example redirect=a.example')!)).toBe(5)
  })

  test('a domain has exactly one record', () => {
    expect(checkSpf(['proof=1', 'v=spf1 mx -all'])).toBeNull()
    expect(checkSpf(['proof=1', 'v=spf10 mx'])).toBe('not-one-record')
    expect(checkSpf(['v=spf1 mx -all', 'v=spf1 -all'])).toBe('not-one-record')
    expect(checkSpf(['v=spf1 mx -al'])).toBe('syntax')
  })

  test('nothing that a name server may return makes it throw', () => {
    fc.assert(fc.property(fc.string(), text => void checkSpf([`v=spf1 ${text}`])))
    expect(formatSpf({ terms: [directive({ name: 'all' }, '-')] })).toBe('v=spf1 -all')
  })
})

describe('DKIM (RFC 6376)', () => {
  test('a new key signs, its record verifies, its selector follows from it', async () => {
    const pair = await generateDkimKey()
    expect(pair.selector).toMatch(/^mw[0-9a-f]{8}$/)
    expect(selectorOf(pair.publicKey)).toBe(pair.selector)
    const text = formatDkim({ keyType: 'rsa', publicKey: pair.publicKey, flags: [] })
    const record = parseDkim(text)
    expect(record).toEqual({ keyType: 'rsa', publicKey: pair.publicKey, flags: [] })
    const key = createPublicKey({ key: Buffer.from(record?.publicKey ?? '', 'base64'), format: 'der', type: 'spki' })
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048)
    const signature = createSign('sha256').update('mail').sign(createPrivateKey(pair.privateKeyPem))
    expect(createVerify('sha256').update('mail').verify(key, signature)).toBe(true)
    expect((await generateDkimKey()).selector).not.toBe(pair.selector)
  })

  test('format then parse is identity', () => {
    const record = fc.record({
      keyType: fc.constantFrom('rsa', 'ed25519'),
      publicKey: fc.uint8Array().map(octets => Buffer.from(octets).toString('base64')),
      flags: fc.subarray(['y', 's']),
    })
    fc.assert(fc.property(record, one => void expect(parseDkim(formatDkim(one))).toEqual(one)))
  })

  test.each([
    '',
    'v=DKIM1',
    'v=DKIM2; p=AAAA',
    'p=AAAA; v=DKIM1',
    'v=DKIM1; p=A',
    'v=DKIM1; p=AA!=',
    'v=DKIM1; p=AAAA; p=BBBB',
  ])('%j is no key', text => expect(parseDkim(text)).toBeUndefined())

  test('a revoked key, a key in pieces, tags unknown', () => {
    expect(parseDkim('v=DKIM1; p=')).toEqual({ keyType: 'rsa', publicKey: '', flags: [] })
    expect(parseDkim(' k=rsa ; p=AA AA\tBBBB; n=note; x=1; t=y : s;')).toEqual({
      keyType: 'rsa',
      publicKey: 'AAAABBBB',
      flags: ['y', 's'],
    })
    expect(parseTagList('a=1;;b=2')).toBeUndefined()
  })
})

describe('DMARC (RFC 7489)', () => {
  const policy = fc.constantFrom(...dmarcPolicies)
  const alignment = fc.constantFrom('relaxed' as const, 'strict' as const)
  const uris = fc.array(address.map(reportUri), { maxLength: 3 })

  test('format then parse is identity', () => {
    const record = fc.record({
      policy,
      subdomainPolicy: fc.option(policy),
      dkimAlignment: alignment,
      spfAlignment: alignment,
      percent: fc.integer({ min: 0, max: 100 }),
      aggregate: uris,
      failure: uris,
    })
    fc.assert(fc.property(record, one => void expect(parseDmarc(formatDmarc(one))).toEqual(one)))
  })

  test('the shortest record, and where reports elsewhere are agreed to', () => {
    expect(formatDmarc(dmarc('reject'))).toBe('v=DMARC1; p=reject')
    expect(formatDmarc(dmarc('quarantine', ['mailto:d@operator.example']))).toBe(
      'v=DMARC1; p=quarantine; rua=mailto:d@operator.example',
    )
    expect(externalReportName('hcg.example', 'operator.example')).toBe('hcg.example._report._dmarc.operator.example')
    expect(reportUri("d!x,y'@operator.example")).toBe("mailto:d%21x%2Cy'@operator.example")
  })

  test.each([
    '',
    'p=none; v=DMARC1',
    'v=DMARC1',
    'v=DMARC1; p=nothing',
    'v=DMARC1; rua=mailto:a@b.example; p=none',
    'v=DMARC1; p=none; pct=101',
    'v=DMARC1; p=none; pct=-1',
    'v=DMARC1; p=none; adkim=x',
    'v=DMARC1; p=none; sp=x',
    'v=DMARC1; p=none; rua=nowhere',
  ])('%j is no record', text => expect(parseDmarc(text)).toBeUndefined())
})

describe('MTA-STS (RFC 8461) and TLS-RPT (RFC 8460)', () => {
  const policy = fc.record({
    mode: fc.constantFrom('enforce' as const, 'testing' as const),
    mx: fc.array(
      fc.oneof(
        domain,
        domain.map(name => `*.${name}`),
      ),
      { minLength: 1, maxLength: 4 },
    ),
    maxAge: fc.integer({ min: 0, max: policyAgeMax }),
  })

  test('format then parse is identity', () => {
    fc.assert(fc.property(policy, one => void expect(parseMtaStsPolicy(formatMtaStsPolicy(one))).toEqual(one)))
    fc.assert(fc.property(policy, one => void expect(parseMtaSts(formatMtaSts(mtaStsId(one)))).toBe(mtaStsId(one))))
    const destinations = fc.array(address.map(reportUri), { minLength: 1, maxLength: 3 })
    fc.assert(fc.property(destinations, some => void expect(parseTlsRpt(formatTlsRpt(some))).toEqual(some)))
  })

  test('the id changes with the policy, and only then', () => {
    const one = { mode: 'testing', mx: ['mx1.operator.example'], maxAge: 604_800 } as const
    expect(mtaStsId(one)).toBe(mtaStsId({ ...one }))
    const others = [
      { ...one, mode: 'enforce' } as const,
      { ...one, mx: ['mx2.operator.example'] },
      { ...one, maxAge: 1 },
    ]
    expect(new Set([one, ...others].map(mtaStsId)).size).toBe(4)
    expect(formatMtaStsPolicy(one)).toBe(
      'version: STSv1\r\nmode: testing\r\nmx: mx1.operator.example\r\nmax_age: 604800\r\n',
    )
  })

  test.each([
    '',
    'version: STSv2\nmode: none\nmax_age: 1',
    'version: STSv1\nmode: testing\nmax_age: 1',
    'version: STSv1\nmode: maybe\nmx: a.example\nmax_age: 1',
    'version: STSv1\nmode: none\nmax_age: 31557601',
    'version: STSv1\nmode: none\nmax_age: 1\nnonsense',
    'version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1',
  ])('%j is no policy', text => expect(parseMtaStsPolicy(text)).toBeUndefined())

  test.each(['', 'v=STSv1', 'v=STSv1; id=', 'id=1; v=STSv1', `v=STSv1; id=${'a'.repeat(33)}`, 'v=STSv1; id=a-b'])(
    '%j is no record',
    text => expect(parseMtaSts(text)).toBeUndefined(),
  )

  test.each(['', 'v=TLSRPTv1', 'v=TLSRPTv1; rua=', 'rua=mailto:a@b.example; v=TLSRPTv1', 'v=TLSRPTv1; rua=ftp://a'])(
    '%j asks for no reports',
    text => expect(parseTlsRpt(text)).toBeUndefined(),
  )
})
