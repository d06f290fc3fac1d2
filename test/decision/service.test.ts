/** The thread of live decisions: what the daemon does keeps no question waiting, and what it has sent is in force. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildImage } from '../../agent/decision/image.ts'
import { type PolicyService, ServiceFailure, startPolicyService } from '../../agent/decision/service.ts'
import { toHolds, toWorld } from '../../agent/policy-test/world.ts'
import { estate } from '../decisions/tables.ts'
import { connectTo, readAnswers } from '../wire/client.ts'

const lines = (login: string) =>
  [
    'request=smtpd_access_policy',
    'protocol_state=RCPT',
    'client_address=10.20.0.9',
    `sender=${login}`,
    'recipient=x@minsap.cu',
    `sasl_username=${login}`,
    'instance=1',
  ].join('\n')
const login = 'nacional@hcg.sld.cu'
const question = `${lines(login)}\n\n`
const holds = toHolds({ ...estate, holds: [{ incident: 'INC-1', domain: 'hcg.sld.cu' }] })
const request = {
  state: 'RCPT',
  clientAddress: '10.20.0.9',
  sender: login,
  recipient: 'x@minsap.cu',
  login,
  instance: '1',
}

describe('the thread of live decisions', () => {
  let folder: string
  let service: PolicyService
  let port: number
  const told: string[] = []
  const troubles: unknown[] = []
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mw-'))
    service = startPolicyService({
      onTold: (some, more) => told.push(...some.map(({ decision }) => decision.reason), ...(more > 0 ? ['more'] : [])),
      onThrown: error => troubles.push(error),
      onEnded: error => troubles.push(error),
    })
    service.show(buildImage(toWorld(estate)))
    const [address = ''] = await service.listen([{ on: '127.0.0.1:0', modes: {} }])
    port = Number(address.split(':')[1])
  })
  afterAll(async () => {
    await service.close()
    rmSync(folder, { recursive: true, force: true })
    expect(troubles).toEqual([])
  })

  test('answers while the daemon is busy, however long that takes', () => {
    const file = join(folder, 'answered')
    const asker = spawn(process.execPath, [
      fileURLToPath(new URL('asker.ts', import.meta.url)),
      String(port),
      file,
      lines(login),
    ])
    try {
      // Nothing of this thread's own turns until the other process has its answers, or gives up.
      const deadline = performance.now() + 30_000
      while (!existsSync(file) && performance.now() < deadline);
      expect(existsSync(file)).toBe(true)
    } finally {
      asker.kill()
    }
  })

  test('a hold is in force for every question on every open connection once it was sent, and so is its end', async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => connectTo(`127.0.0.1:${port}`)))
    const ask = () =>
      Promise.all(
        sockets.map(async socket => {
          socket.write(question)
          const [answer = ''] = await readAnswers(socket, 1)
          return answer.replace(/^action=/, '').slice(0, 9)
        }),
      )
    for (let round = 0; round < 50; round += 1) {
      service.hold(holds)
      expect(new Set(await ask())).toEqual(new Set(['550 5.7.1']))
      service.hold([])
      expect(new Set(await ask())).toEqual(new Set(['DUNNO']))
    }
    for (const socket of sockets) socket.destroy()
  })

  test('says what it would answer, tells what it refused, and counts', async () => {
    expect(await service.ask(request)).toMatchObject({ effect: 'dunno', reason: 'permitted' })
    service.hold(holds)
    expect(await service.ask(request)).toMatchObject({ effect: 'reject', reason: 'suspended' })
    service.hold([])
    await expect.poll(() => told.filter(reason => reason === 'suspended').length).toBeGreaterThanOrEqual(20)
    const { requests, rejected } = await service.counters()
    expect(rejected).toBeGreaterThanOrEqual(20)
    expect(requests).toBeGreaterThan(2_000)
  })

  test('without tables it answers nobody', async () => {
    service.show(null)
    expect(await service.ask(request)).toBeNull()
    const socket = await connectTo(`127.0.0.1:${port}`)
    socket.write(question)
    await expect(readAnswers(socket, 1)).rejects.toThrow()
    service.show(buildImage(toWorld(estate)))
    expect(await service.ask(request)).toMatchObject({ effect: 'dunno' })
  })

  test('one whose thread has ended says so, once, and keeps nobody waiting', async () => {
    const ends: unknown[] = []
    const other = startPolicyService({
      onTold: () => {},
      onThrown: () => {},
      onEnded: error => ends.push(error),
    })
    // What is no image is a bug of whoever sent it; the thread does not go on with half of it.
    other.show({} as Parameters<typeof other.show>[0])
    await expect.poll(() => ends.length).toBe(1)
    await expect(other.ask(request)).rejects.toThrow(/has ended/)
    await other.close()
    expect(ends).toHaveLength(1)
  })

  test('an address that is taken is a failure with its reason, and the service goes on', async () => {
    await expect(service.listen([{ on: `127.0.0.1:${port}`, modes: {} }])).rejects.toThrow(ServiceFailure)
    await expect(service.listen([{ on: `127.0.0.1:${port}`, modes: {} }])).rejects.toThrow(/EADDRINUSE/)
    expect(await service.ask(request)).toMatchObject({ effect: 'dunno' })
  })
})
