import { expect, test } from 'vitest'
import { inheritedSockets } from '../../agent/decision/inherited.ts'

const me = { pid: 20, ppid: 10 }
const found = (environment: Record<string, string>) => Object.fromEntries(inheritedSockets(environment, me))

test('sockets by name, for this process or its launcher', () => {
  for (const pid of ['20', 'parent:10'])
    expect(found({ LISTEN_PID: pid, LISTEN_FDS: '3', LISTEN_FDNAMES: 'policy:api:policy' })).toEqual({
      policy: [3, 5],
      api: [4],
    })
})

test.each([
  ['another process', { LISTEN_PID: '21', LISTEN_FDS: '1', LISTEN_FDNAMES: 'policy' }],
  ['another launcher', { LISTEN_PID: 'parent:11', LISTEN_FDS: '1', LISTEN_FDNAMES: 'policy' }],
  ['nobody', {}],
  ['nobody, though it counts', { LISTEN_FDS: '1', LISTEN_FDNAMES: 'policy' }],
  ['no number', { LISTEN_PID: '20', LISTEN_FDS: '-1', LISTEN_FDNAMES: 'policy' }],
  ['no names', { LISTEN_PID: '20', LISTEN_FDS: '2' }],
  ['a name that is none', { LISTEN_PID: '20', LISTEN_FDS: '1', LISTEN_FDNAMES: 'a b' }],
])('nothing for %s', (_, environment) => expect(found(environment as Record<string, string>)).toEqual({}))
