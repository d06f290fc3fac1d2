/** S45 from the manifest to the list: named, subscribed; replaced, unsubscribed; everybody else left alone. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ListMember } from '../../agent/model/resource.ts'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { openMlmmj } from '../../providers/mlmmj/mlmmj.ts'
import type { Provider } from '../../providers/provider.ts'
import { describeServers } from '../servers/suite.ts'
import { openEngine } from '../support/engine.ts'
import { institutionText } from '../support/estate.ts'
import { makeLists, whyNoMlmmj } from './mlmmj-lists.ts'
import { changes, incidents, lists } from './sample.ts'

describeServers('lists of an estate', whyNoMlmmj, () => {
  test('a representative is replaced: the old one leaves, the new one joins, 500 others stay', async () => {
    const folder = mkdtempSync('/tmp/mw-')
    const made = makeLists(lists)
    try {
      const others = Array.from({ length: 500 }, (_, index) => `f${index}@third.example`)
      writeFileSync(join(made.folderOf(incidents), 'subscribers.d/f'), `${others.join('\n')}\n`)
      // A director who is there already, by themselves.
      made.subscribe(incidents, 'director-b@directores.example')
      mkdirSync(join(folder, 'manifests'), { recursive: true })
      const write = (text: string) => writeFileSync(join(folder, 'manifests/all.yaml'), text)
      const both = ['a', 'b'].map(name => institutionText(name, { domain: `${name}.example` })).join('---\n')
      write(both)
      const provider: Provider<ListMember> = openMlmmj({ folder: made.root, lists })
      const topics = `{ changes: ${changes}, modifications: ${changes}, incidents: ${incidents} }`
      const text = `  providers: { lists: { kind: mlmmj, folder: ${made.root}, topics: ${topics} } }\n`
      await using open = await openEngine(folder, { lists: { text, provider: provider as unknown as Provider } })
      const pass = async (scope: 'all' | { domains: string[] } = 'all') => {
        await open.engine.reload()
        const signal = new AbortController().signal
        return open.engine.reconcile({ lane: 'manifest', scope, actor: daemonActor, signal })
      }
      const ofA = (...people: string[]) => people.map(person => `${person}@correo.example`)
      const directors = ['director-a@directores.example', 'director-b@directores.example']

      expect((await pass({ domains: ['a.example', 'b.example'] })).converged).toBe(true)
      expect(made.members(changes)).toEqual([])
      const first = await pass()
      expect(first.converged).toBe(true)
      expect(first.plan.contested.map(({ ref }) => ref.key)).toEqual([`${incidents}/director-b@directores.example`])
      expect(made.members(changes)).toEqual([...directors, ...ofA('rep-a', 'rep-b')])
      expect(made.members(incidents)).toEqual([...directors, ...others, ...ofA('rep-a', 'rep-b')].sort())
      expect((await pass()).outcomes).toEqual([])

      write(both.replace('email: rep-a@correo.example', 'email: nueva@correo.example'))
      const second = await pass()
      expect(second.outcomes.map(({ ref, result }) => [ref.key, result]).toSorted()).toEqual(
        [changes, incidents].flatMap(list => ofA('nueva', 'rep-a').map(address => [`${list}/${address}`, 'applied'])),
      )
      expect(made.members(changes)).toEqual([...directors, ...ofA('nueva', 'rep-b')])
      expect(made.members(incidents)).toEqual([...directors, ...others, ...ofA('nueva', 'rep-b')].sort())
      expect((await pass()).outcomes).toEqual([])

      // Somebody takes the new one off by hand: what the manifests say is put back.
      made.unsubscribe(changes, 'nueva@correo.example')
      expect((await pass()).plan.changes.map(({ why, ref }) => [why, ref.key])).toEqual([
        ['drift', `${changes}/nueva@correo.example`],
      ])
      expect(made.members(changes)).toContain('nueva@correo.example')
    } finally {
      made.remove()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
