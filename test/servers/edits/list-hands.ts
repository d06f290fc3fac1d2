/** The hands that edit lists: mlmmj's own programs and files, Mailman's REST. */
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '../../../agent/model/name.ts'
import type { MailmanServer } from '../../lists/mailman-server.ts'
import type { MlmmjLists } from '../../lists/mlmmj-lists.ts'
import { changes } from '../../lists/sample.ts'
import { run } from '../mail-servers.ts'
import type { Edit } from './fleet.ts'
import type { ListHand } from './lists.ts'

export type MlmmjHand = ListHand & { lines(list: Address): readonly string[] }

const kinds = { digest: '-d', 'no-mail': '-n' } as const

export function mlmmjHand(lists: MlmmjLists): MlmmjHand {
  const listed = (list: Address, kind: string) => {
    const { status, stdout, stderr } = run('/usr/bin/mlmmj-list', ['-L', lists.folderOf(list), kind])
    if (status !== 0) throw new Error(`mlmmj-list: ${stderr}`)
    return stdout.split('\n').filter(Boolean)
  }
  const hand: MlmmjHand = {
    leave: (list, address) => lists.unsubscribe(list, address),
    join: (list, address) => lists.subscribe(list, address),
    prefer(list, address, what) {
      lists.unsubscribe(list, address)
      lists.subscribe(list, address, kinds[what])
    },
    lines: list => listed(list, '-s'),
    members: list => [
      ...hand.lines(list),
      ...Object.entries(kinds).flatMap(([what, kind]) => listed(list, kind).map(address => `${what} ${address}`)),
    ],
    marksFile: list => join(lists.folderOf(list), 'control/mailwarden-marks'),
  }
  return hand
}

/** What only files can have. */
export function mlmmjEdits(server: () => MlmmjLists): readonly Edit[] {
  const fileOf = (name: string) => join(server().folderOf(changes), 'subscribers.d', name)
  return [
    {
      name: 'a member is written in capitals',
      domain: 'grafia.cu',
      act() {
        const text = readFileSync(fileOf('d'), 'utf8')
        if (!text.includes('\ndirector@grafia.cu\n')) throw new Error('the director is not in the file')
        writeFileSync(fileOf('d'), text.replace('\ndirector@grafia.cu\n', '\nDirector@GRAFIA.cu\n'))
      },
      check() {
        if (!readFileSync(fileOf('d'), 'utf8').includes('\nDirector@GRAFIA.cu\n')) throw new Error('it was spelt again')
      },
    },
    {
      name: 'a line stands twice',
      domain: 'doble.cu',
      act: () => appendFileSync(fileOf('r'), 'rep@doble.cu\n'),
    },
    {
      name: 'lines are added that say nothing',
      domain: 'vacia.cu',
      act: () => appendFileSync(fileOf('r'), '\n  \n'),
    },
    {
      name: 'a file of members is deleted',
      domain: 'archivo.cu',
      act() {
        if (!readFileSync(fileOf('z'), 'utf8').includes('zoe@archivo.cu')) throw new Error('nobody is in the file')
        rmSync(fileOf('z'))
      },
      drift: () => [`create member ${changes}/zoe@archivo.cu`],
      check() {
        if (!existsSync(fileOf('z'))) throw new Error('the file is not there again')
      },
    },
  ]
}

export function mailmanHand(server: MailmanServer, marks: string): ListHand & { call: MailmanServer['call'] } {
  const must = async (method: string, path: string, form?: readonly (readonly [string, string])[]) => {
    const [status, body] = await server.call(method, path, form)
    if (status >= 300) throw new Error(`Mailman answers ${status} to ${method} ${path}: ${JSON.stringify(body)}`)
    return body
  }
  const idOf = (list: Address) => list.replace('@', '.')
  const hand: ListHand & { call: MailmanServer['call'] } = {
    call: async (method, path, form) => [200, await must(method, path, form)],
    leave: (list, address) => must('DELETE', `/lists/${list}/roster/member`, [['emails', address]]),
    join: (list, address) =>
      must('POST', '/members', [
        ['list_id', idOf(list)],
        ['subscriber', address],
        ['pre_verified', 'true'],
        ['pre_confirmed', 'true'],
        ['pre_approved', 'true'],
        ['send_welcome_message', 'false'],
      ]),
    async prefer(list, address, what) {
      const { member_id: id } = await must('GET', `/lists/${list}/member/${address}`)
      if (what === 'digest') await must('PATCH', `/members/${id}`, [['delivery_mode', 'plaintext_digests']])
      else await must('PATCH', `/members/${id}/preferences`, [['delivery_status', 'by_user']])
    },
    async members(list) {
      const { entries = [] } = await must('GET', `/lists/${list}/roster/member`)
      const lines: string[] = []
      for (const { delivery_mode: mode, member_id: id, email, ...one } of entries) {
        const asked = email.startsWith('rep@callada') ? await must('GET', `/members/${id}/preferences`) : {}
        const wish = mode === 'plaintext_digests' ? 'digest ' : asked.delivery_status === 'by_user' ? 'no-mail ' : ''
        lines.push(`${wish}${email} ${id} ${one.moderation_action ?? ''}`)
      }
      return lines.toSorted()
    },
    marksFile: list => join(marks, `${encodeURIComponent(list)}.marks`),
  }
  return hand
}

/** What only a server with roles has. */
export function mailmanEdits(hand: () => ReturnType<typeof mailmanHand>): readonly Edit[] {
  const patch = async (address: string, name: string, value: string) => {
    const [, { member_id: id }] = await hand().call('GET', `/lists/${changes}/member/${address}`)
    await hand().call('PATCH', `/members/${id}`, [[name, value]])
  }
  return [
    {
      name: 'what a member writes is discarded',
      domain: 'moderada.cu',
      act: () => patch('rep@moderada.cu', 'moderation_action', 'discard'),
      async check() {
        const members = await hand().members(changes)
        if (!members.some(line => /rep@moderada\.cu .*discard/.test(line))) throw new Error('it is discarded no more')
      },
    },
    {
      name: 'a member is given another name',
      domain: 'nombre.cu',
      act: async () => {
        const [, { user_id: id }] = await hand().call('GET', '/addresses/rep@nombre.cu/user')
        await hand().call('PATCH', `/users/${id}`, [['display_name', 'Otra Persona']])
      },
    },
    {
      name: 'somebody becomes an owner, and no member',
      domain: 'duena.cu',
      act: async () => {
        await hand().call('POST', '/members', [
          ['list_id', changes.replace('@', '.')],
          ['subscriber', 'otra@duena.cu'],
          ['role', 'owner'],
        ])
      },
    },
  ]
}
