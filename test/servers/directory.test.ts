/**
 * The directory through the doors that people use: a real Postfix and a real Dovecot, started from the shipped snippets,
 * read the embedded directory. IMAP, POP and SMTP AUTH are each tried by themselves, since no door proves another.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change } from '../../agent/model/change.ts'
import type { Address } from '../../agent/model/name.ts'
import { type DirectoryAccount, type DirectoryDomain, formatRef, refOf } from '../../agent/model/resource.ts'
import { order } from '../../agent/plan/order.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { generatePassword, hashPassword } from '../../agent/standards/password.ts'
import { type EmbeddedDirectory, openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { domain, account as sample } from '../conformance/samples.ts'
import { type MailServers, run, startMailServers, waitUntil, whyNoServers } from './mail-servers.ts'
import { type PolicyStub, startPolicyStub } from './policy-stub.ts'
import { describeServers } from './suite.ts'
import { imapLogin, type Login, popLogin, popMessages, sendMail, smtpLogin } from './wire.ts'

type DirectoryResource = DirectoryDomain | DirectoryAccount

const never = new AbortController().signal
const inside = '127.0.0.1'
const outside = '127.0.0.9'

const account = (address: string, over: Partial<DirectoryAccount> = {}) =>
  sample(address, { allowNets: [`${inside}/32`], ...over })

function administrator(of: string): DirectoryAccount {
  return account(`admin@${of}`, {
    role: 'administrator',
    aliases: [`abuse@${of}`, `postmaster@${of}`] as Address[],
  })
}

const juan = account('jperez@box.example', { aliases: ['juan.perez@box.example' as Address], quotaBytes: 50_000_000 })
const maria = account('mlopez@box.example', { allowNets: null })
const collector = account('multipop@pop.example', { role: 'collector' })
const ana = account('ana@pop.example')
const estate: readonly DirectoryResource[] = [
  domain('box.example'),
  administrator('box.example'),
  juan,
  maria,
  account('shut@box.example', { allowNets: [] }),
  account('gone@box.example', { status: 'closed' }),
  domain('pop.example', { delivery: 'multipop' }),
  administrator('pop.example'),
  collector,
  ana,
  account('berta@pop.example'),
  domain('relay.example', { delivery: 'relay', nextHop: 'mail.inst.example' }),
  administrator('relay.example'),
  account('carla@relay.example'),
  domain('nohop.example', { delivery: 'relay' }),
]

describeServers('Postfix and Dovecot over the embedded directory', whyNoServers, () => {
  let servers: MailServers
  let policy: PolicyStub
  let directory: EmbeddedDirectory
  const password = generatePassword(randomBytes).reveal()

  beforeAll(async () => {
    policy = await startPolicyStub()
    servers = await startMailServers({ policy: policy.address })
    directory = await openEmbeddedDirectory({ file: servers.directoryFile, clock: systemClock })
    await reach(estate)
    const hash = await hashPassword(new Secret(password))
    for (const resource of estate)
      if (resource.kind === 'account') await directory.setCredential(resource.address, hash, 1_700_000_000_000)
  })
  afterAll(async () => {
    await directory?.[Symbol.asyncDispose]()
    await servers?.stop()
    await policy?.stop()
  })
  beforeEach(() => reach(estate))

  /** Brings the directory to a state and counts its writes. */
  async function reach(wanted: readonly DirectoryResource[]): Promise<number> {
    const found = new Map(
      (await directory.observe('all', never)).map(({ resource }) => [formatRef(refOf(resource)), resource]),
    )
    const cause = { why: 'manifest', source: null } as const
    const changes = wanted.flatMap((after): Change<DirectoryResource>[] => {
      const ref = refOf(after)
      const before = found.get(formatRef(ref))
      if (before === undefined) return [{ action: 'create', ref, before: null, after, ...cause }]
      return JSON.stringify(before) === JSON.stringify(after)
        ? []
        : [{ action: 'update', ref, before, after, ...cause }]
    })
    const marked = (order(changes) as Change<DirectoryResource>[]).map(change => ({
      change,
      mark: markOf('servers', change.ref),
    }))
    for await (const outcome of directory.apply(marked, never)) expect(outcome).toMatchObject({ result: 'applied' })
    return changes.length
  }

  /** The estate with some resources in another condition. */
  function changed(key: string, over: Partial<DirectoryDomain> & Partial<DirectoryAccount>): DirectoryResource[] {
    return estate.map(resource => (resource.key === key ? ({ ...resource, ...over } as DirectoryResource) : resource))
  }

  const login = (user: string): Login => ({ user, password })

  /** Which of the three doors let somebody in. */
  async function doors(user: string, from = inside, secret = password): Promise<string[]> {
    const { imap, pop, submission } = servers.ports
    const attempt = { user, password: secret }
    const [byImap, byPop, bySmtp] = await Promise.all([
      imapLogin({ port: imap, from }, attempt),
      popLogin({ port: pop, from }, attempt),
      smtpLogin({ port: submission, from }, attempt),
    ])
    // A refusal is a refusal, never a fault of the server's that would look like one.
    expect(byImap).toMatch(/^(OK|NO \[AUTHENTICATIONFAILED\]) /)
    expect(byPop).toMatch(/^(\+OK|-ERR \[AUTH\]) /)
    expect(bySmtp).toMatch(/^(235|535) /)
    return [
      ...(byImap.startsWith('OK') ? ['imap'] : []),
      ...(byPop.startsWith('+OK') ? ['pop'] : []),
      ...(bySmtp.startsWith('235') ? ['smtp'] : []),
    ]
  }

  const all = ['imap', 'pop', 'smtp']
  const text = (id: string, to = 'undisclosed') =>
    `From: <sender@remote.example>\nTo: ${to}\nMessage-ID: <${id}@remote.example>\nSubject: ${id}\n\nHello.`

  async function arrived(user: string, id: string): Promise<string[]> {
    const messages = await popMessages({ port: servers.ports.pop }, login(user))
    return messages.filter(message => message.includes(`Message-ID: <${id}@`))
  }
  const deliveredTo = (messages: readonly string[]) =>
    messages.map(message => /^Delivered-To: <?([^>\n]*)>?$/m.exec(message)?.[1] ?? 'nobody').sort()

  test('a login is accepted from its networks and from no other', async () => {
    expect(await doors('jperez@box.example')).toEqual(all)
    expect(await doors('JPerez@Box.example')).toEqual(all)
    expect(await doors('jperez@box.example', outside)).toEqual([])
    expect(await doors('mlopez@box.example', outside)).toEqual(all)
    expect(await doors('shut@box.example')).toEqual([])
    expect(await doors('gone@box.example')).toEqual([])
    expect(await doors('jperez@box.example', inside, 'wrong')).toEqual([])
    expect(await doors(`' OR '1'='1`)).toEqual([])
    expect(await doors('juan.perez@box.example')).toEqual([])
  })

  test('one write closes every login of a domain, on every protocol, and one write opens them', async () => {
    expect(await reach(changed('box.example', { login: 'suspended' }))).toBe(1)
    for (const user of ['jperez', 'mlopez', 'admin']) expect(await doors(`${user}@box.example`)).toEqual([])
    expect(await doors('admin@pop.example')).toEqual(all)
    expect(await reach(estate)).toBe(1)
    for (const user of ['jperez', 'mlopez', 'admin']) expect(await doors(`${user}@box.example`)).toEqual(all)
  })

  test('a suspended account, a closed one and a withdrawn domain have no way in; the neighbour has', async () => {
    await reach(changed('jperez@box.example', { status: 'suspended' }))
    expect(await doors('jperez@box.example')).toEqual([])
    expect(await doors('mlopez@box.example')).toEqual(all)
    await reach(changed('jperez@box.example', { status: 'closed' }))
    expect(await doors('jperez@box.example')).toEqual([])
    await reach(changed('box.example', { login: 'closed', collection: 'closed' }))
    expect(await doors('mlopez@box.example')).toEqual([])
  })

  test('the administrator is closed by itself', async () => {
    expect(await doors('admin@box.example')).toEqual(all)
    await reach(changed('admin@box.example', { status: 'suspended' }))
    expect(await doors('admin@box.example')).toEqual([])
    expect(await doors('jperez@box.example')).toEqual(all)
  })

  test('the collector only reads, users of multipop and relay domains only submit', async () => {
    expect(await doors('multipop@pop.example')).toEqual(['imap', 'pop'])
    expect(await doors('multipop@pop.example', outside)).toEqual([])
    expect(await doors('ana@pop.example')).toEqual(['smtp'])
    expect(await doors('carla@relay.example')).toEqual(['smtp'])
    await reach(changed('pop.example', { collection: 'suspended' }))
    expect(await doors('multipop@pop.example')).toEqual([])
    expect(await doors('ana@pop.example')).toEqual(['smtp'])
    await reach(changed('pop.example', { login: 'suspended' }))
    expect(await doors('multipop@pop.example')).toEqual([])
  })

  test('a status that somebody misspelt opens nothing', async () => {
    await reach(changed('box.example', { login: 'Active' as 'active' }))
    expect(await doors('jperez@box.example')).toEqual([])
  })

  test('mail to a mailbox, its alias and a +detail of it arrives', async () => {
    const recipients = [
      'jperez@box.example',
      'juan.perez@box.example',
      'jperez+x@box.example',
      'Juan.Perez+y@BOX.example',
    ]
    for (const [index, recipient] of recipients.entries()) {
      const id = `direct-${index}`
      const sent = await sendMail(
        { port: servers.ports.smtp },
        { sender: 's@remote.example', recipients: [recipient], text: text(id) },
      )
      expect(sent.end).toMatch(/^250 /)
      await waitUntil(`mail to ${recipient}`, async () => (await arrived('jperez@box.example', id)).length === 1)
    }
  })

  test('postmaster@ and abuse@ reach the administrator in every kind of domain', async () => {
    for (const name of ['box.example', 'pop.example', 'relay.example']) {
      const recipients = [`postmaster@${name}`, `abuse@${name}`]
      const message = { sender: '', recipients, text: text(`role-${name}`) }
      const sent = await sendMail({ port: servers.ports.smtp }, message)
      expect(sent.recipients.map(reply => reply.slice(0, 3))).toEqual(['250', '250'])
      await waitUntil(
        `mail to the administrator of ${name}`,
        async () => (await arrived(`admin@${name}`, `role-${name}`)).length > 0,
      )
    }
  })

  test('a message to two of a multipop domain, and one that its To does not name, arrive in the collector with their addresses', async () => {
    const recipients = ['ana@pop.example', 'berta@pop.example']
    await sendMail(
      { port: servers.ports.smtp },
      { sender: 's@remote.example', recipients, text: text('two', recipients.join(', ')) },
    )
    await sendMail(
      { port: servers.ports.smtp },
      { sender: 's@remote.example', recipients: ['ana@pop.example'], text: text('bcc', 'list@remote.example') },
    )
    await waitUntil('three copies in the collector', async () => {
      const [two, bcc] = [await arrived(collector.address, 'two'), await arrived(collector.address, 'bcc')]
      return two.length === 2 && bcc.length === 1
    })
    expect(deliveredTo(await arrived(collector.address, 'two'))).toEqual(recipients)
    expect(deliveredTo(await arrived(collector.address, 'bcc'))).toEqual(['ana@pop.example'])
  })

  test('submission by login is judged at each recipient and at the end, and arrives', async () => {
    policy.requests.length = 0
    const message = { sender: juan.address, recipients: [maria.address], text: text('submitted') }
    const sent = await sendMail({ port: servers.ports.submission }, message, login(juan.address))
    expect(sent.end).toMatch(/^250 /)
    expect(
      policy.requests.map(request => [request.protocol_state, request.sasl_username, request.policy_context]),
    ).toEqual([
      ['RCPT', juan.address, 'submission'],
      ['END-OF-MESSAGE', juan.address, 'submission'],
    ])
    await waitUntil('the submitted mail', async () => (await arrived(maria.address, 'submitted')).length === 1)
  })

  test('unknown recipients and foreign domains are refused', async () => {
    const recipients = [
      'nobody@box.example',
      'nobody@pop.example',
      'nobody@relay.example',
      'gone@box.example',
      'multipop@pop.example',
      'x@remote.example',
    ]
    const sent = await sendMail(
      { port: servers.ports.smtp },
      { sender: 's@remote.example', recipients, text: text('unknown') },
    )
    expect(sent.recipients.map(reply => reply.slice(0, 9))).toEqual([...Array(5).fill('550 5.1.1'), '554 5.7.1'])
  })

  test('a held domain stays in every map', async () => {
    const maps: readonly [string, string, string | null][] = [
      ['virtual-mailbox-domains', 'box.example', 'box.example'],
      ['virtual-mailbox-domains', 'relay.example', null],
      ['virtual-mailbox-maps', 'jperez@box.example', 'jperez@box.example'],
      ['virtual-mailbox-maps', 'ana@pop.example', 'ana@pop.example'],
      ['virtual-mailbox-maps', 'gone@box.example', null],
      ['virtual-alias-maps', 'juan.perez@box.example', 'jperez@box.example'],
      ['virtual-alias-maps', 'postmaster@relay.example', 'admin@relay.example'],
      ['relay-domains', 'relay.example', 'relay.example'],
      ['relay-domains', 'box.example', null],
      ['relay-recipients', 'carla@relay.example', 'carla@relay.example'],
      ['transport', 'relay.example', 'relay:[mail.inst.example]'],
      ['transport', 'nohop.example', 'retry:4.4.1 no next hop is declared'],
      ['transport', 'admin@relay.example', 'lmtp:unix:private/dovecot-lmtp'],
      ['transport', 'box.example', null],
    ]
    const answers = () => maps.map(([map, key]) => [map, key, servers.postmap(map, key)])
    expect(answers()).toEqual(maps)
    const held = estate.map(resource =>
      resource.kind === 'domain'
        ? ({ ...resource, login: 'suspended', collection: 'suspended' } as const)
        : resource.status === 'active'
          ? ({ ...resource, status: 'suspended' } as const)
          : resource,
    )
    await reach(held)
    expect(answers()).toEqual(maps)
    // And mail that the policy service lets in is delivered, not bounced.
    const message = { sender: 's@remote.example', recipients: ['ana@pop.example'], text: text('held') }
    expect((await sendMail({ port: servers.ports.smtp }, message)).end).toMatch(/^250 /)
    await reach(estate)
    await waitUntil('the mail of the held domain', async () => (await arrived(collector.address, 'held')).length === 1)
  })

  test('an alias that somebody points at an address of others leads nowhere', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const hand = new DatabaseSync(servers.directoryFile, { timeout: 5000 })
    hand.exec(
      `INSERT INTO alias VALUES ('leak@box.example', 'spy@remote.example'), ('mlopez@box.example', 'jperez@box.example')`,
    )
    expect(servers.postmap('virtual-alias-maps', 'leak@box.example')).toBeNull()
    expect(servers.postmap('virtual-alias-maps', 'mlopez@box.example')).toBeNull()
    hand.exec(`DELETE FROM alias WHERE address IN ('leak@box.example', 'mlopez@box.example')`)
    hand.close()
  })

  test('the servers go on when mailwarden is away, and after their own tools looked', async () => {
    await directory[Symbol.asyncDispose]()
    try {
      expect(servers.postmap('virtual-mailbox-domains', 'box.example')).toBe('box.example')
      expect(await doorsAgain('jperez@box.example')).toEqual(all)
      const message = { sender: 's@remote.example', recipients: [juan.address], text: text('away') }
      expect((await sendMail({ port: servers.ports.smtp }, message)).end).toMatch(/^250 /)
      await waitUntil('the mail', async () => (await arrived(juan.address, 'away')).length === 1)
    } finally {
      directory = await openEmbeddedDirectory({ file: servers.directoryFile, clock: systemClock })
    }
  })

  /** A look-up that a writer without pause got in the way of says "later"; a client asks again, and so do we. */
  async function doorsAgain(user: string): Promise<string[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await doors(user)
      } catch (error) {
        if (attempt === 3 || !/UNAVAILABLE|454 /.test(String(error))) throw error
      }
    }
  }

  test('a writer that never rests loses no look-up for good, and lets nothing wrong through', async () => {
    const stop = new AbortController()
    const writing = (async () => {
      for (let turn = 0; !stop.signal.aborted; turn++) {
        await reach(changed('mlopez@box.example', { quotaBytes: 1 + (turn % 2) }))
        await new Promise(resolve => setImmediate(resolve))
      }
    })()
    for (let turn = 0; turn < 10; turn++) {
      expect(await doorsAgain('jperez@box.example')).toEqual(all)
      const message = {
        sender: 's@remote.example',
        recipients: [juan.address, 'nobody@box.example'],
        text: text(`busy-${turn}`),
      }
      const sent = await sendMail({ port: servers.ports.smtp }, message)
      expect(sent.recipients.map(reply => reply.slice(0, 3))).toEqual(['250', '550'])
    }
    stop.abort()
    await writing
    expect(servers.log()).not.toMatch(/fatal:|panic:/)
  })

  test('hashPassword is what doveadm verifies, and only with that password', async () => {
    const secret = generatePassword(randomBytes)
    const hash = await hashPassword(secret)
    const verify = (input: string) => run('/usr/bin/doveadm', ['pw', '-t', hash], `${input}\n`)
    expect(verify(secret.reveal()).stdout).toContain('(verified)')
    expect(verify(`${secret.reveal()}x`).status).not.toBe(0)
    expect(verify('niño ñandú').status).not.toBe(0)
    const spanish = await hashPassword(new Secret('niño ñandú €'))
    expect(run('/usr/bin/doveadm', ['pw', '-t', spanish], 'niño ñandú €\n').stdout).toContain('(verified)')
    const decomposed = await hashPassword(new Secret('niño ñandú €'.normalize('NFD')))
    expect(run('/usr/bin/doveadm', ['pw', '-t', decomposed], `${'niño ñandú €'.normalize('NFC')}\n`).stdout).toContain(
      '(verified)',
    )
  })
})
