/**
 * Stands in for a provider whose file could not be opened: each call tries again, and says why it failed. So a broken
 * directory keeps nobody from recording a suspension, and nothing has to be restarted when it is mended.
 */
import { setTimeout } from 'node:timers/promises'
import type { Resource } from '../agent/model/resource.ts'
import type { CredentialStore, Provider } from './provider.ts'

/** Somebody mends a file by hand; looking for that twice a second would help nobody. */
const reopenMs = 5_000

type Directory<R extends Resource> = Provider<R> & CredentialStore
type Pure<R extends Resource> = Pick<Provider<R>, 'name' | 'kinds' | 'target' | 'check' | 'canonical'>

export function openWhenNeeded<R extends Resource>(pure: Pure<R>, open: () => Promise<Directory<R>>): Directory<R> {
  let opened: Directory<R> | undefined
  let opening: Promise<Directory<R>> | undefined
  const provider = async (): Promise<Directory<R>> => {
    if (opened !== undefined) return opened
    opening ??= open()
    try {
      opened = await opening
      return opened
    } finally {
      opening = undefined
    }
  }
  return {
    ...pure,
    observe: async (scope, signal) => (await provider()).observe(scope, signal),
    async *apply(changes, signal) {
      yield* (await provider()).apply(changes, signal)
    },
    async *foreignWrites(signal) {
      while (opened === undefined) {
        await setTimeout(reopenMs, undefined, { signal, ref: false }).catch(() => {})
        if (signal.aborted) return
      }
      yield* opened.foreignWrites?.(signal) ?? []
    },
    setCredential: async (...args) => (await provider()).setCredential(...args),
    credentialChanges: async domain => (await provider()).credentialChanges(domain),
    async [Symbol.asyncDispose]() {
      await opened?.[Symbol.asyncDispose]()
    },
  }
}
