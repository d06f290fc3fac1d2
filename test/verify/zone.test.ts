/** What the look at name servers makes of their answers: what it says goes into the register, whatever a server gives out. */
import { expect, test } from 'vitest'
import { judgeZone } from '../../agent/prober.ts'
import type { ServerFinding } from '../../providers/probe-dns/zone.ts'

const server = (some: Partial<ServerFinding>): ServerFinding => ({
  server: '127.0.0.1:53',
  trouble: null,
  detail: null,
  serial: 7,
  differences: [],
  ...some,
})
const difference = (owner: string, values: readonly string[]) => ({
  owner,
  type: 'TXT' as const,
  expected: { ttl: 60, values: ['"as it should be"'] },
  found: { ttl: 60, values },
  detail: null,
})

test('servers that give out the same as wanted are as wanted, with their serial', () => {
  expect(judgeZone([server({}), server({})])).toEqual({ result: 'as-wanted', detail: 'serial 7' })
})

test('one difference is told in full', () => {
  expect(judgeZone([server({ differences: [difference('a.example', ['"else"'])] })])).toEqual({
    result: 'otherwise',
    detail: '127.0.0.1:53: a.example TXT is "else", not "as it should be"',
  })
})

test('a huge value and many differences are told in short, with their number', () => {
  const huge = Array.from({ length: 40 }, (_, n) => difference(`n${n}.a.example`, ['x'.repeat(60_000)]))
  const { result, detail } = judgeZone([server({ differences: huge })])
  expect(result).toBe('otherwise')
  expect(detail).toContain('n0.a.example TXT is xxx')
  expect(detail).toContain('and 35 more')
  expect(detail.length).toBeLessThan(2_000)
})

test('what a server says that answers nothing useful is told in short', () => {
  const silent = judgeZone([server({ trouble: 'unreachable', detail: 'y'.repeat(9_000), serial: null })])
  expect(silent.result).toBe('unproved')
  expect(silent.detail.length).toBeLessThan(300)
})
