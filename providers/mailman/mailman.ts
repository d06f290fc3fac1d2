/** Members of lists of Mailman 3 by its REST API. Mailman has no place for our marks: they stand in a folder of ours. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secret } from '../../agent/core/secret.ts'
import type { Address } from '../../agent/model/name.ts'
import type { ListMember } from '../../agent/model/resource.ts'
import { canonicalListMember, checkListMember } from '../../agent/standards/list-resource.ts'
import { createListProvider } from '../list-members.ts'
import { type Provider, ProviderFailure } from '../provider.ts'
import type { Api } from './rest.ts'
import { readRoster, writeSeats } from './roster.ts'

export type MailmanOptions = {
  /** Of the REST API, with its version: `http://127.0.0.1:8001/3.1`. */
  readonly url: string
  readonly user: string
  readonly password: Secret
  /** PEM; the system's authorities when null. */
  readonly caFile: string | null
  /** Made when the first mark is written. It must outlive the lists' memberships, like the register. */
  readonly marksFolder: string
  /** The lists of the configured topics. */
  readonly lists: readonly Address[]
}

/** What the provider is before it was opened. */
export const describeMailman = ({ url, lists }: Pick<MailmanOptions, 'url' | 'lists'>) =>
  ({
    name: 'lists',
    kinds: ['member'],
    target: `mailman:${url} ${[...new Set(lists)].sort().join(',')}`,
    check: checkListMember,
    canonical: canonicalListMember,
  }) as const

/** Mailman itself is not asked before the first look. @throws ProviderFailure when the authority's file can't be read. */
export async function openMailman(options: MailmanOptions): Promise<Provider<ListMember>> {
  const { url, user, password, caFile, marksFolder } = options
  const lists = [...new Set(options.lists)].sort()
  const ca = caFile === null ? null : await readAuthority(caFile)
  const api: Api = { url: url.replace(/\/+$/, ''), user, password, ca }
  return createListProvider({
    target: `mailman:${api.url} ${lists.join(',')}`,
    lists,
    check: checkListMember,
    server: {
      // An address may hold a slash.
      marksFile: async list => join(marksFolder, `${encodeURIComponent(list)}.marks`),
      read: (list, signal) => readRoster(api, list, signal),
      write: (list, seats) => writeSeats(api, list, seats),
    },
  })
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new ProviderFailure('unauthorized', `the certificate authority ${file} cannot be read`, {
      retry: 'later',
      cause,
    })
  }
}
