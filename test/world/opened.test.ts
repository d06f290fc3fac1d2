/** What was closed for an incident and could not be opened again is still to be opened, and not somebody's new wish. */
import { expect, test } from 'vitest'
import type { Stored } from '../../agent/register/register.ts'
import { emptyHistory, foldEntry } from '../../agent/world/history.ts'

const ref = { provider: 'directory', kind: 'domain', key: 'hcg.sld.cu' }
const incident = 'INC-2026-0001'
let index = 0
const entry = (kind: string, personal: object) =>
  ({
    kind,
    index: index++,
    at: '2026-07-01T15:00:00.000Z',
    actor: {},
    subject: '',
    facts: {},
    personal,
  }) as unknown as Stored
const intended = (digest: string, heldBy: string | null) =>
  entry('apply.intended', { changes: [{ action: 'update', ref, digest, heldBy }] })
const completed = (result: string) =>
  entry('apply.completed', { created: [], deleted: [], outcomes: [{ ref, result }] })

test('a failed opening remembers whom it was closed for; a done one forgets', () => {
  const history = emptyHistory()
  const owned = () => [...history.owned.values()][0]
  const fold = (...entries: Stored[]) => {
    for (const one of entries) foldEntry(history, one)
  }
  fold(intended('closed', incident), completed('applied'))
  expect(owned()).toEqual({ ref, digest: 'closed', heldBy: incident })
  fold(intended('open', null), completed('failed'))
  expect(owned()).toEqual({ ref, digest: '', heldBy: incident })
  // Cut in between, and tried once more.
  fold(intended('open', null), intended('open', null), completed('skipped'))
  expect(owned()).toEqual({ ref, digest: '', heldBy: incident })
  fold(intended('open', null), completed('applied'))
  expect(owned()).toEqual({ ref, digest: 'open', heldBy: null })
  fold(intended('other', null), completed('failed'))
  expect(owned()).toEqual({ ref, digest: '', heldBy: null })
})
