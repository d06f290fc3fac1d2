/**
 * What every mail host must do, whatever stands behind it: close all of a scope and nothing else, say what stands
 * afterwards, be harmless when repeated, and fail rather than guess. It asserts what people and mail meet from outside,
 * never calls. `open` gives a host of a running server with `domains` of alike names and no traffic of theirs.
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { HoldScope } from '../../agent/model/incident.ts'
import type { Address, DomainName } from '../../agent/model/name.ts'
import { type DoorState, type MailDoor, type MailHost, ProviderFailure } from '../../providers/provider.ts'

export type OpenedMailHost = {
  readonly host: MailHost
  /** The door whose traffic can be counted from outside. */
  readonly door: MailDoor
  /** Brings traffic of an account to the door: so many sessions, or messages that wait to be delivered. */
  readonly fill: (account: string, count: number) => Promise<void>
  /** How much of an account's traffic still goes on, counted without the host. */
  readonly goesOn: (account: string) => Promise<number>
  /** The host as it looks when its server is away. */
  readonly away: MailHost
  /** Takes all traffic off again. */
  readonly empty: () => Promise<void>
}

export type MailHostCase = {
  readonly name: string
  readonly open: () => Promise<OpenedMailHost>
  /** A text that no failure may show. */
  readonly secret: () => string
  /** Whether `open` of the door brings back what `close` took away: messages wait, sessions do not. */
  readonly gives: 'back' | 'nothing'
}

const never = new AbortController().signal
const ours: HoldScope = { domain: 'hcg.example' as DomainName, account: null }
const ana: HoldScope = { domain: 'hcg.example' as DomainName, account: 'ana@hcg.example' as Address }
const others = ['ana@evil-hcg.example', 'ana@sub.hcg.example'] as const

export function testMailHost(subject: MailHostCase): void {
  describe(`${subject.name} is a mail host`, () => {
    let opened: OpenedMailHost
    const start = async () => {
      opened = await subject.open()
      await opened.fill('ana@hcg.example', 3)
      await opened.fill('berta@hcg.example', 2)
      for (const other of others) await opened.fill(other, 2)
      return opened
    }
    afterEach(() => opened?.empty())

    const stateOf = (states: readonly DoorState[]) => states.find(({ door }) => door === opened.door)
    const observe = async (scope: HoldScope) => stateOf(await opened.host.observe(scope, never))
    const standing = async () =>
      Promise.all(['ana@hcg.example', 'berta@hcg.example', ...others].map(account => opened.goesOn(account)))

    test('it counts what stands, of a domain and of an account', async () => {
      const { host } = await start()
      expect(await observe(ours)).toMatchObject({ open: 5, held: 0 })
      expect(await observe(ana)).toMatchObject({ open: 3, held: 0 })
      expect(await observe({ domain: 'absent.example' as DomainName, account: null })).toMatchObject({ open: 0 })
      expect((await host.observe(ours, never)).map(({ door }) => door).sort()).toEqual([...host.doors].sort())
      await expect.poll(standing).toEqual([3, 2, 2, 2])
    })

    test('closing a domain closes all of it and nothing else, and says what stands afterwards', async () => {
      const { host } = await start()
      const closed = await host.close(ours, host.doors, never)
      expect(stateOf(closed)).toMatchObject({ open: 0 })
      await expect.poll(standing).toEqual([0, 0, 2, 2])
      expect(await observe(ours)).toEqual(stateOf(closed))
    })

    test('closing an account leaves its neighbours alone', async () => {
      const { host } = await start()
      expect(stateOf(await host.close(ana, host.doors, never))).toMatchObject({ open: 0 })
      await expect.poll(standing).toEqual([0, 2, 2, 2])
    })

    test('closing twice and opening twice are harmless', async () => {
      const { host } = await start()
      const once = await host.close(ours, host.doors, never)
      expect(await host.close(ours, host.doors, never)).toEqual(once)
      await expect.poll(standing).toEqual([0, 0, 2, 2])
      const opened = await host.open(ours, host.doors, never)
      expect(stateOf(opened)).toMatchObject({ held: 0 })
      await host.open(ours, host.doors, never)
      await expect.poll(standing).toEqual(subject.gives === 'back' ? [3, 2, 2, 2] : [0, 0, 2, 2])
    })

    test('what comes after the first closing is closed by the next', async () => {
      const { host, fill } = await start()
      await host.close(ours, host.doors, never)
      await fill('berta@hcg.example', 2)
      await expect.poll(standing).toEqual([0, 2, 2, 2])
      expect(await observe(ours)).toMatchObject({ open: 2 })
      expect(stateOf(await host.close(ours, host.doors, never))).toMatchObject({ open: 0 })
      await expect.poll(standing).toEqual([0, 0, 2, 2])
      await host.open(ours, host.doors, never)
    })

    test('a door that nobody named stays as it is', async () => {
      const { host } = await start()
      expect(await host.close(ours, [], never)).toEqual([])
      expect(await host.open(ours, [], never)).toEqual([])
      await expect.poll(standing).toEqual([3, 2, 2, 2])
    })

    test('a host that is away is a failure, never a count, and nothing changes', async () => {
      const { host, away } = await start()
      for (const attempt of [
        () => away.observe(ours, never),
        () => away.close(ours, away.doors, never),
        () => away.open(ours, away.doors, never),
      ]) {
        const failure = await attempt().then(
          states => states,
          (error: unknown) => error,
        )
        expect(failure).toBeInstanceOf(ProviderFailure)
        const { message, cause, kind } = failure as ProviderFailure
        expect(kind).toMatch(/^(?:unreachable|unauthorized|timeout)$/)
        expect(`${message} ${String(cause)} ${JSON.stringify(failure)} ${away.target}`).not.toContain(subject.secret())
      }
      await expect.poll(standing).toEqual([3, 2, 2, 2])
      expect(stateOf(await host.close(ours, host.doors, never))).toMatchObject({ open: 0 })
      await host.open(ours, host.doors, never)
    })

    test('an abort is a failure, and what it left undone is seen and done later', async () => {
      const { host } = await start()
      const aborted = AbortSignal.abort()
      await expect(host.observe(ours, aborted)).rejects.toBeInstanceOf(ProviderFailure)
      await expect(host.close(ours, host.doors, aborted)).rejects.toBeInstanceOf(ProviderFailure)
      await expect.poll(standing).toEqual([3, 2, 2, 2])
      expect(stateOf(await host.close(ours, host.doors, never))).toMatchObject({ open: 0 })
      await expect.poll(standing).toEqual([0, 0, 2, 2])
      await host.open(ours, host.doors, never)
    })
  })
}
