/** One zone that BIND cannot load: the daemon says which, leaves it as it is, and goes on with every other. */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, eventually, institutionText } from '../support/estate.ts'
import { startBind, whyNoBind } from './bind.ts'
import { run } from './mail-servers.ts'
import { describeServers } from './suite.ts'

describeServers('a zone that BIND cannot load', whyNoBind, () => {
  test('is named, and holds up no other domain', { timeout: 120_000 }, async () => {
    const bind = await startBind()
    try {
      await using estate = await createEstate({
        'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }),
      })
      const secret = join(estate.folder, 'tsig.secret')
      writeFileSync(secret, bind.key.secret.reveal(), { mode: 0o600 })
      const { folder, include, rndc } = bind.zoneMaking
      const key = `key: { name: ${bind.key.name}, algorithm: ${bind.key.algorithm}, secret: { file: ${secret} } }`
      const making = `zones: { making: bind, folder: ${folder}, include: ${include}, command: ${JSON.stringify(rndc)} }`
      estate.configure({ dns: `dns: { kind: rfc2136, server: "${bind.server}", ${key}, ${making} }` })
      const daemon = await estate.start()
      await daemon.until(line => line['event'] === 'ready', 'ready')
      const answered = (name: string) =>
        run('/usr/bin/dig', ['+short', '+norec', '@127.0.0.1', '-p', String(bind.port), name, 'MX']).stdout.trim()
      expect(answered('hcg.sld.cu')).toContain('mx1.operator.example')

      await bind.daemon.stop()
      const file = join(folder, 'hcg.sld.cu.zone')
      renameSync(file, `${file}.lost`)
      await bind.daemon.start()
      estate.write('clinica.yaml', institutionText('clinica', { domain: 'clinica.sld.cu' }))
      await eventually(async () => answered('clinica.sld.cu').includes('mx1'), 'the zone of the neighbour')
      await daemon.stop()
      const second = await estate.start()
      // A pass over everything meets the broken one too, says so by its name, and goes on.
      const away = await second.until(line => line['event'] === 'a system is away; the others go on', 'a word')
      expect(JSON.stringify(away)).toContain('hcg.sld.cu')
      await second.until(line => line['event'] === 'ready', 'ready')
      estate.write('escuela.yaml', institutionText('escuela', { domain: 'escuela.sld.cu' }))
      await eventually(async () => answered('escuela.sld.cu').includes('mx1'), 'one more neighbour')
      // Whoever asks for a plan of everything is told, and of a neighbour gets one.
      const whole = await estate.cli(['plan'])
      expect({ exit: whole.exit, named: `${whole.out}${whole.err}`.includes('hcg.sld.cu') }).toEqual({
        exit: 1,
        named: true,
      })
      expect(await estate.json(['plan', 'clinica.sld.cu'])).toMatchObject({ exit: 0, json: { changes: [] } })

      await bind.daemon.stop()
      renameSync(`${file}.lost`, file)
      await bind.daemon.start()
      await eventually(async () => (await estate.json(['plan'])).exit === 0, 'a plan without changes')
      expect(answered('hcg.sld.cu')).toContain('mx1.operator.example')
    } finally {
      await bind.stop()
    }
  })
})
