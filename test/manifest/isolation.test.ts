/** A mistake blocks what it is in, never the neighbour; what cannot be read is no absence; values are as written. */
import { describe, expect, test } from 'vitest'
import { changed, check, sampleText } from './sample.ts'

const name = 'hospital-calixto-garcia'
const accountsOf = (estate: ReturnType<typeof check>) =>
  estate.estates.get(name)?.accounts.map(({ address }) => address)
const other = sampleText
  .replaceAll(name, 'policlinico-plaza')
  .replaceAll('hcg.sld.cu', 'plaza.sld.cu')
  .replaceAll('hcg-spf-2026', 'plaza-spf-2026')

describe('isolation', () => {
  test('a broken account is absent, its neighbours stay', () => {
    const estate = check(changed('send: international', 'sned: international'))
    expect(accountsOf(estate)).toEqual(['mlopez@hcg.sld.cu', 'exempleado@hcg.sld.cu'])
    expect([...estate.blocked.keys()]).toEqual(['account:jperez@hcg.sld.cu'])
    expect(estate.unreadable).toEqual([])
  })

  test('an account whose papers are not in order is present and blocked', () => {
    const estate = check(changed('      request: SC-2026-014\n      send', '      send'))
    expect(accountsOf(estate)).toContain('jperez@hcg.sld.cu')
    expect([...estate.blocked.keys()]).toEqual(['account:jperez@hcg.sld.cu'])
  })

  test('closing an account needs no papers', () => {
    const estate = check(
      changed(
        ', state: withdrawn, holder: { name: X, id: HCG-0009, post: "-", purpose: "-", category: other }, request: SC-2026-014',
        ', state: withdrawn',
      ),
    )
    expect(estate.diagnostics).toEqual([])
    expect(accountsOf(estate)).toContain('exempleado@hcg.sld.cu')
  })

  test('a broken institution leaves the other one whole', () => {
    const estate = check({ 'a.yaml': changed('province: La Habana', 'provincia: La Habana'), 'b.yaml': other })
    expect([...estate.estates.keys()]).toEqual(['policlinico-plaza'])
    expect([...estate.blocked.keys()]).toEqual([`institution:${name}`])
    expect(estate.diagnostics.every(({ place }) => place?.file === 'a.yaml')).toBe(true)
  })

  test('an institution without contract is present and blocked, and nobody is called unknown', () => {
    const estate = check(changed(/ {2}contract:[\s\S]*?(?= {2}capacity:)/, ''))
    expect(estate.diagnostics.map(({ code }) => code)).toEqual(['E-CONTRACT-MISSING'])
    expect(accountsOf(estate)).toHaveLength(3)
  })

  test('a file that does not parse is unreadable and drags no other file along', () => {
    const estate = check({ 'a.yaml': `${sampleText}\n  :\n - [`, 'b.yaml': other })
    expect(estate.unreadable).toEqual(['a.yaml'])
    expect(estate.diagnostics.every(({ place }) => place?.file === 'a.yaml')).toBe(true)
    expect(estate.estates.get('policlinico-plaza')?.accounts).toHaveLength(3)
  })

  test('a list whose accounts cannot be told apart is unreadable', () => {
    expect(check(changed(/ {2}accounts:\n[\s\S]*?---/, '  accounts: 5\n---')).unreadable).toEqual(['hcg.yaml'])
    expect(check(changed('name: mlopez', 'name: "m lópez!"')).unreadable).toEqual(['hcg.yaml'])
    expect(check(changed('name: mlopez, ', '')).unreadable).toEqual(['hcg.yaml'])
  })

  test('a domain that two institutions declare belongs to neither, and both places are shown', () => {
    const estate = check({ 'a.yaml': sampleText, 'b.yaml': other.replaceAll('plaza.sld.cu', 'hcg.sld.cu') })
    const twice = estate.diagnostics.filter(({ code }) => code === 'E-DOMAIN-OWNER')
    expect(twice.map(({ place, related }) => [place?.file, related?.[0]?.place.file])).toEqual([['b.yaml', 'a.yaml']])
    expect([...estate.estates.values()].flatMap(({ domains }) => domains)).toEqual([])
  })

  test('a request of another list of the same institution counts, of another institution does not', () => {
    const list = (domain: string, list: string) =>
      `apiVersion: mailwarden/v1\nkind: AccountList\nmetadata: { name: ${list} }\nspec:\n  domain: ${domain}\n  accounts:\n    - { name: eva, holder: { name: Eva, id: HCG-0117, post: a, purpose: b, category: care }, request: SC-2026-014 }\n`
    expect(check({ 'a.yaml': sampleText, 'c.yaml': list('hcg.sld.cu', 'more') }).diagnostics).toEqual([])
    const foreign = check({
      'a.yaml': sampleText,
      'b.yaml': other.replaceAll('SC-2026-014', 'SC-1'),
      'c.yaml': list('plaza.sld.cu', 'more'),
    })
    expect(foreign.diagnostics.map(({ code }) => code)).toEqual(['E-ACCOUNT-NO-REQUEST'])
  })

  test('the configuration beside the manifests is judged, and nothing is made of it', () => {
    const agent =
      'apiVersion: mailwarden/v1\nkind: Agent\nspec: { manifests: ., state: ./var, operator: { name: Infomed, timeZone: Nowhere }, mail: { mx: [{ host: mx1.operator.example, priority: 10 }], nameServers: [ns1.operator.example], hostmaster: h@operator.example } }\n'
    const estate = check({ 'a.yaml': sampleText, 'mailwarden.yaml': agent })
    expect(estate.diagnostics.map(({ code }) => code)).toEqual(['E-TIME-ZONE'])
    expect([estate.blocked.size, estate.unreadable.length]).toEqual([0, 0])
  })

  test('the order of the files does not matter', () => {
    const forwards = check({ 'a.yaml': sampleText, 'b.yaml': other })
    const backwards = check({ 'b.yaml': other, 'a.yaml': sampleText })
    expect(JSON.stringify([...backwards.estates])).toBe(JSON.stringify([...forwards.estates]))
  })

  test('all mistakes are found in one run, in order of their places', () => {
    const text = changed('province: La Habana', 'provnce: La Habana')
      .replace('2GiB', '2')
      .replace('send: who.int', 'sned: who.int')
    const { diagnostics } = check(text)
    expect(diagnostics.map(({ code }) => code)).toEqual([
      'E-FIELD-MISSING',
      'E-FIELD-UNKNOWN',
      'E-SIZE',
      'E-FIELD-UNKNOWN',
    ])
    const lines = diagnostics.map(({ place }) => place?.line ?? 0)
    expect(lines).toEqual(lines.toSorted((a, b) => a - b))
  })
})

describe('values are as written', () => {
  test('numbers, words of YAML 1.1 and leading zeros in text', () => {
    const text = changed('number: "41"', 'number: 017')
      .replace('province: La Habana', 'province: NO')
      .replace('name: Juan Pérez', 'name: Null')
      .replace('post: Cirujano', 'post: 12:30')
      .replace('purpose: docencia', 'purpose: 0x1F')
    const estate = check(text)
    expect(estate.diagnostics).toEqual([])
    const { institution, accounts } = estate.estates.get(name)!
    expect(institution.province).toBe('NO')
    expect(accounts[0]?.holder).toMatchObject({ name: 'Null', post: '12:30', purpose: '0x1F' })
  })

  test('IPv4-mapped networks become IPv4, names A-labels, days instants in Havana', () => {
    const text = changed('10.20.0.0/16', '"::ffff:10.20.0.0/112"').replaceAll('hcg.sld.cu', 'Cajañ.sld.cu')
    const estate = check(text)
    expect(estate.diagnostics).toEqual([])
    const { institution, domains, accounts } = estate.estates.get(name)!
    expect(institution.networks[0]).toBe('10.20.0.0/16')
    expect(domains[0]?.name).toBe('xn--caja-jqa.sld.cu')
    expect(new Date(accounts[0]!.exceptions[0]!.until).toISOString()).toBe('2027-01-01T05:00:00.000Z')
    expect(domains[0]?.storageBytes).toBe(2 ** 31)
  })

  test('defaults are filled in', () => {
    const { domains, accounts } = check(changed(/ {2}defaults: .*\n/, '')).estates.get(name)!
    expect(accounts[1]).toMatchObject({
      send: 'national',
      receive: 'international',
      access: 'institution',
      quotaBytes: 0,
    })
    expect(domains[0]).toMatchObject({ inboundWhenSuspended: 'defer', ttl: 3600 })
  })
})
