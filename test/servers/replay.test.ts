/**
 * `replay` over the log of a real Postfix that asked a real agent: what is put together from its lines is what was sent,
 * and what was refused; other manifests flip what they should and nothing else.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readLines } from '../../agent/replay/lines.ts'
import { type Attempt, joinMessages } from '../../agent/replay/messages.ts'
import { startSink } from '../mail-hosts/bench.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'
import { sendMail } from './wire.ts'

const home = '127.0.0.1'
const stranger = '127.0.0.9'
const password = 'una-clave-larga-de-prueba'
const hospital = (accounts: readonly string[]) =>
  institutionText('hospital', { domain: 'hcg.sld.cu', network: `${home}/32`, accounts })
const [perez, lopez] = ['jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu']

type Wanted = Pick<Attempt, 'client' | 'login' | 'sender' | 'recipient'> & { readonly refused: boolean }

describeServers('replay over a real log', whyNoServers, () => {
  let servers: MailServers
  let estate: Estate
  let daemon: Daemon
  let sink: Awaited<ReturnType<typeof startSink>>
  const sent: Wanted[] = []
  const log = () => join(servers.folder, 'pf/maillog')

  const send = async (from: { login?: string; sender: string; client: string }, recipients: readonly string[]) => {
    const { login, sender, client } = from
    const { submission, smtp } = servers.ports
    const message = { sender, recipients, text: 'Subject: prueba\n\nhola\n' }
    const endpoint = { port: login === undefined ? smtp : submission, from: client }
    const replies = await sendMail(endpoint, message, login === undefined ? undefined : { user: login, password })
    for (const [index, reply] of replies.recipients.entries()) {
      expect(reply).toMatch(/^(250|550) /)
      sent.push({ client, login: login ?? '', sender, recipient: recipients[index] ?? '', refused: /^5/.test(reply) })
    }
  }

  beforeAll(async () => {
    const [policyPort, sinkPort] = [await freePort(), await freePort()]
    servers = await startMailServers({
      policy: `${home}:${policyPort}`,
      mainCf: [
        `transport_maps = inline:{ fuera.example=smtp:[${home}]:${sinkPort}, who.int=smtp:[${home}]:${sinkPort} }`,
      ],
    })
    sink = await startSink({ servers, password, sinkPort })
    estate = await createEstate(
      { 'hospital.yaml': hospital(['{ name: jperez, send: international }', '{ name: mlopez, send: national }']) },
      { directory: servers.directoryFile, policyPort },
    )
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of [perez, lopez])
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)

    await send({ login: perez, sender: perez, client: home }, ['a@fuera.example', lopez, 'b@who.int'])
    await send({ login: lopez, sender: lopez, client: home }, [perez, 'c@who.int', 'd@fuera.example'])
    await send({ login: lopez, sender: lopez, client: home }, ['e@who.int'])
    await send({ sender: 'x@fuera.example', client: stranger }, [perez, 'nadie@hcg.sld.cu'])
    await send({ sender: perez, client: stranger }, [lopez])
    await send({ sender: '', client: stranger }, [perez])
    await eventually(
      async () => (readFileSync(log(), 'utf8').match(/: removed$/gm) ?? []).length >= 4,
      'every delivery',
    )
  }, 60_000)
  afterAll(async () => {
    await sink?.stop()
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  test('what is put together is what was sent', async () => {
    async function* bytes() {
      yield readFileSync(log())
    }
    const counted: string[] = []
    const count = (kind: string) => {
      if (!['line', 'other-program'].includes(kind)) counted.push(kind)
    }
    const lines = readLines(bytes(), { timeZone: 'UTC', writtenAt: Date.now(), count })
    const found: Wanted[] = []
    for await (const { client, login, sender, recipient, answer, status } of joinMessages(lines, { count })) {
      found.push({ client, login, sender, recipient, refused: answer.effect === 'reject' })
      expect(status).toBe(answer.effect === 'reject' ? 'refused' : 'sent')
    }
    const inOrder = (all: readonly Wanted[]) => all.map(one => JSON.stringify(one)).toSorted()
    expect(inOrder(found)).toEqual(inOrder(sent))
    expect(sent.filter(({ refused }) => refused).length).toBe(5)
    expect(counted).toEqual([])
  })

  test('nothing flips under the manifests that decided; others flip what they change', async () => {
    const same = await estate.json(['replay', log()])
    expect({ exit: same.exit, flips: same.json.flips }).toEqual({ exit: 0, flips: [] })
    expect(same.json.totals).toMatchObject({ attempts: sent.length, flipped: 0 })

    const other = join(estate.folder, 'other')
    cpSync(estate.manifests, other, { recursive: true })
    const swapped = hospital(['{ name: jperez, send: national }', '{ name: mlopez, send: international }'])
    writeFileSync(join(other, 'hospital.yaml'), swapped)
    const { exit, json } = await estate.json(['replay', log(), '--manifests', other])
    expect(exit).toBe(2)
    expect(json.totals).toMatchObject({ flipped: 5, newlyRefused: 2, newlyPermitted: 3 })
    const line = (name: string) => swapped.split('\n').findIndex(text => text.includes(name)) + 1
    expect(json.flips).toMatchObject([
      {
        account: lopez,
        kind: 'login',
        count: 3,
        before: { effect: 'reject', policy: 'scope-send' },
        after: { effect: 'dunno', policy: 'permitted' },
        first: { recipient: 'c@who.int' },
        source: { file: join(other, 'hospital.yaml'), line: line('name: mlopez') },
      },
      {
        account: perez,
        count: 2,
        after: { effect: 'reject', policy: 'scope-send' },
        source: { file: join(other, 'hospital.yaml'), line: line('name: jperez') },
      },
    ])
    expect(json.totals.attempts).toBe(sent.length)

    // This Postfix writes the time of the machine, which the operator's zone need not be.
    const zoned = await estate.json(['replay', log(), '--manifests', other, '--time-zone', 'UTC'])
    const hours = (Date.parse(json.flips[0].first.at) - Date.parse(zoned.json.flips[0].first.at)) / 3_600_000
    expect([4, 5]).toContain(hours)

    // The same log packed, under a name that says nothing, and by standard input.
    const packed = join(estate.folder, 'maillog-20260101')
    writeFileSync(packed, gzipSync(readFileSync(log())))
    expect((await estate.json(['replay', packed, '--manifests', other])).json.totals).toEqual(json.totals)
    const piped = await estate.cli(['replay', '-', '--manifests', other], { input: readFileSync(log(), 'utf8') })
    expect(piped.exit).toBe(2)
    expect(piped.out).toContain(
      `${lopez}  3\n  3  reject scope-send → dunno  because of ${join(other, 'hospital.yaml')}:`,
    )
  })

  test('an account that the other manifests lack is gone in them, though it stands today', async () => {
    const fewer = join(estate.folder, 'fewer')
    cpSync(estate.manifests, fewer, { recursive: true })
    writeFileSync(join(fewer, 'hospital.yaml'), hospital(['{ name: jperez, send: international }']))
    const { exit, json } = await estate.json(['replay', log(), '--manifests', fewer])
    expect(exit).toBe(2)
    const inbound = json.flips.filter((flip: any) => flip.after.policy === 'unknown-account')
    expect(inbound.map((flip: any) => flip.account)).toContain(lopez)
    expect(json.flips.every((flip: any) => flip.after.effect === 'reject')).toBe(true)
  })

  test('a hold of today is in force in both worlds, and the incident is named', async () => {
    const { json: incident } = await estate.json(['suspend', perez, '--class', 'spam', '--reason', 'x'])
    const { exit, json } = await estate.json(['replay', log()])
    expect(exit).toBe(2)
    expect(json.flips.filter((flip: any) => flip.account === perez && flip.kind === 'login')).toMatchObject([
      {
        account: perez,
        count: 3,
        after: { effect: 'reject', policy: 'suspended' },
        source: { incident: incident.incident },
      },
    ])
    const same = await estate.json(['replay', log(), '--manifests', estate.manifests])
    expect({ exit: same.exit, flips: same.json.flips }).toEqual({ exit: 0, flips: [] })
  })

  test('bad input is told: no log, no file, manifests with errors', async () => {
    const broken = join(estate.folder, 'broken')
    cpSync(estate.manifests, broken, { recursive: true })
    writeFileSync(join(broken, 'hospital.yaml'), hospital(['{ name: jperez, send: everywhere }']))
    const exits = async (...args: string[]) => {
      const { exit, out, err } = await estate.cli(['replay', ...args])
      return { exit, told: out + err }
    }
    expect((await exits()).exit).toBe(64)
    expect(await exits(log(), '--time-zone', 'Nowhere')).toMatchObject({
      exit: 64,
      told: expect.stringContaining('Nowhere'),
    })
    expect(await exits(join(estate.folder, 'none'))).toMatchObject({ exit: 65, told: expect.stringContaining('none') })
    expect(await exits(join(estate.manifests, 'hospital.yaml'))).toMatchObject({ exit: 65 })
    const cut = join(estate.folder, 'cut')
    writeFileSync(cut, gzipSync(readFileSync(log())).subarray(0, 200))
    expect(await exits(cut)).toMatchObject({ exit: 65, told: expect.stringContaining('Z_BUF_ERROR') })
    const { exit, told } = await exits(log(), '--manifests', broken)
    expect({ exit, told }).toEqual({ exit: 65, told: expect.stringMatching(/hospital\.yaml:\d+:\d+/) })
  })
})
