/**
 * Stands in for a provider whose file could not be opened: each call tries again, and says why it failed. So a broken
 * directory keeps nobody from recording a suspension, and nothing has to be restarted when it is mended.
 */
import { setTimeout } from 'node:timers/promises'
import type { Resource } from '../agent/model/resource.ts'
import { type CredentialStore, type Provider, ProviderFailure } from './provider.ts'

/** Somebody mends a file by hand; looking for that twice a second would help nobody. */
const reopenMs = 5_000

type Pure<R extends Resource> = Pick<Provider<R>, 'name' | 'kinds' | 'target' | 'check' | 'canonical'>

/** A provider that is opened by the first call that needs it, and tried anew by the next one after a failure. */
export function openWhenNeeded<R extends Resource, P extends Provider<R>>(
  pure: Pure<R>,
  open: () => Promise<P>,
): Provider<R> & { readonly opened: () => Promise<P> } {
  let opened: P | undefined
  let opening: Promise<P> | undefined
  const provider = async (): Promise<P> => {
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
    opened: provider,
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
    async [Symbol.asyncDispose]() {
      await opened?.[Symbol.asyncDispose]()
    },
  }
}

/** The same with the passwords that a directory keeps. */
export function openDirectoryWhenNeeded<R extends Resource>(
  pure: Pure<R>,
  open: () => Promise<Provider<R> & CredentialStore>,
): Provider<R> & CredentialStore {
  const provider = openWhenNeeded(pure, open)
  const doors = async () => {
    const found = (await provider.opened()).doors
    if (found === undefined) throw new ProviderFailure('unsupported', 'a directory without doors', { retry: 'never' })
    return found
  }
  return {
    ...provider,
    doors: {
      read: async (refs, signal) => (await doors()).read(refs, signal),
      async *write(changes, signal) {
        yield* (await doors()).write(changes, signal)
      },
    },
    setCredential: async (...args) => (await provider.opened()).setCredential(...args),
    credentialChanges: async domain => (await provider.opened()).credentialChanges(domain),
  }
}
