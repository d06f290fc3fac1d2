/** An estate that stood before mailwarden came: adopted as it stands, and only what was declared. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createEstate, type Estate, institutionText } from '../support/estate.ts'

const hospital = () => institutionText('hospital', { domain: 'hcg.sld.cu' })

/** Another mailwarden made all this, and is gone: the register is new, the objects carry `mark`. */
async function estateOfOthers(mark: string | null): Promise<Estate> {
  const estate = await createEstate({ 'hospital.yaml': hospital() })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  for (const name of readdirSync(estate.state))
    if (/^(mailwarden|keys|register|lock|dkim)/.test(name)) rmSync(join(estate.state, name), { recursive: true })
  for (const [file, tables] of [
    ['directory.db', ['domain', 'account']],
    ['dns.db', ['zone', 'rrset']],
  ] as const) {
    using database = new DatabaseSync(join(estate.state, file), { timeout: 5_000 })
    for (const table of tables) database.prepare(`UPDATE ${table} SET mark = ?`).run(mark)
    // The key of the old installation is gone with it: its record stays theirs.
    if (file === 'dns.db') database.exec(`DELETE FROM rrset WHERE owner LIKE '%._domainkey.%'`)
  }
  return estate
}

test('what is declared and stands is adopted; then the plan holds nothing but the new key', async () => {
  await using estate = await estateOfOthers(null)
  {
    using directory = new DatabaseSync(join(estate.state, 'directory.db'), { timeout: 5_000 })
    directory.exec(`INSERT INTO domain (name, institution, delivery, login, collection)
      VALUES ('ajeno.cu', 'otra', 'mailboxes', 'active', 'active')`)
  }
  const before = await estate.json(['plan'])
  expect(before).toMatchObject({ exit: 2, json: { changes: [] } })
  expect(before.json.contested.length).toBeGreaterThan(10)
  const listed = await estate.json(['adopt'])
  expect(listed).toMatchObject({ exit: 2, json: { applied: false } })
  expect(listed.json.objects).toHaveLength(before.json.contested.length)
  expect(listed.json.objects.every((object: any) => object.differs === false)).toBe(true)
  expect(await estate.json(['unmanaged', 'hcg.sld.cu'])).toMatchObject({ exit: 2 })

  const adopted = await estate.json(['adopt', '--yes'])
  expect(adopted).toMatchObject({ exit: 0, json: { applied: true, counts: { applied: listed.json.objects.length } } })
  expect(await estate.json(['plan'])).toMatchObject({
    exit: 2,
    json: { changes: [], contested: [], keys: ['hcg.sld.cu'] },
  })
  expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
  expect(await estate.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [] } })
  expect((await estate.json(['adopt'])).json.objects).toEqual([])
  // What nobody declared was not touched, and is listed.
  const rest = await estate.json(['unmanaged'])
  expect(rest.json.objects).toEqual([
    { ref: { provider: 'directory', kind: 'domain', key: 'ajeno.cu' }, mark: 'none', declared: false },
  ])
  expect((await estate.json(['register', 'verify'])).exit).toBe(0)
})

test('what carries the mark of another installation is nobody’s to adopt', async () => {
  await using estate = await estateOfOthers('mw1:0123456789abcdef0123456789abcdef')
  expect((await estate.json(['adopt', '--yes'])).json.objects).toEqual([])
  const { json } = await estate.json(['plan'])
  expect(json.contested.length).toBeGreaterThan(10)
  expect((await estate.json(['unmanaged'])).json.objects.every((object: any) => object.mark === 'other')).toBe(true)
})
