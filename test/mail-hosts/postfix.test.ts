/**
 * The queue of a real Postfix under a hold: five hundred messages of three domains, bounces, arrivals in between, what an
 * administrator held before, two holds over one message, and the release, counted at a sink that Postfix brings along.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../agent/core/system-clock.ts'
import { type HeldMessage, type HeldMessages, heldInMemory } from '../../providers/postfix/held.ts'
import { openPostfix, type PostfixHost, type PostfixOptions } from '../../providers/postfix/host.ts'
import { run, waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { describeServers } from '../servers/suite.ts'
import { sendMail } from '../servers/wire.ts'
import {
  type Bench,
  enqueue,
  never,
  postfixCommands,
  postsuper,
  type Queued,
  queueOf,
  scopeOf,
  startBench,
  startSink,
} from './bench.ts'

describeServers('the queue of Postfix', whyNoServers, () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await startBench()
  })
  afterAll(() => bench?.servers.stop())
  afterEach(() => postsuper(bench, ['-d', 'ALL'], []))

  const open = (over: Partial<PostfixOptions> = {}): PostfixHost =>
    openPostfix({ name: 'mx1', clock: systemClock, commands: postfixCommands(bench), ...over })
  const isOf = (domain: string) => (message: Queued) =>
    [message.sender, ...message.recipients.map(({ address }) => address)].some(address =>
      address.toLowerCase().endsWith(`@${domain}`),
    )
  const inQueues = (messages: readonly Queued[]) => [...new Set(messages.map(({ queue_name: name }) => name))].sort()
  const close = async (host: PostfixHost, scope: string) => (await host.close(scopeOf(scope), ['queue'], never))[0]
  const release = async (host: PostfixHost, scope: string) => (await host.open(scopeOf(scope), ['queue'], never))[0]
  const received = (texts: readonly string[]) =>
    texts.map(text => /^Message-Id: (.*)$/im.exec(text)?.[1] ?? 'without').sort()

  test('of five hundred messages all of one domain are held, to it, from it and bounces; and each leaves once', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 100 })
    await enqueue(bench, { from: 'berta@HCG.example', to: 'r@remote.example', count: 60 })
    await enqueue(bench, { from: '', to: 'berta@hcg.example', count: 30 })
    await enqueue(bench, { from: 's@remote.example', to: 'ana@evil-hcg.example', count: 150 })
    await enqueue(bench, { from: 'ana@sub.hcg.example', to: 'berta@evil-hcg.example', count: 158 })
    const two = { sender: 's@remote.example', recipients: ['ana@sub.hcg.example', 'Ana+x@hcg.example'] }
    for (const id of ['two', 'too'])
      await sendMail({ port: bench.servers.ports.smtp }, { ...two, text: `Message-Id: <${id}>\n\nHello.` })
    await waitUntil('the last two', () => queueOf(bench).filter(({ queue_name: q }) => q === 'deferred').length === 500)

    const host = open()
    expect(await host.observe(scopeOf('hcg.example'), never)).toEqual([
      { door: 'queue', open: 192, held: 0, heldByOthers: 0 },
    ])
    expect(await close(host, 'hcg.example')).toEqual({ door: 'queue', open: 0, held: 192, heldByOthers: 0 })
    const queue = queueOf(bench)
    expect(queue.length).toBe(500)
    expect(inQueues(queue.filter(isOf('hcg.example')))).toEqual(['hold'])
    expect(inQueues(queue.filter(message => !isOf('hcg.example')(message)))).toEqual(['deferred'])
    const seen = await host.messages(scopeOf('hcg.example'), never)
    expect(seen.filter(({ sender }) => sender === '').length).toBe(30)
    const both = seen.find(({ recipients }) => recipients.length === 2)?.recipients.map(({ address }) => address)
    expect(both?.sort()).toEqual(two.recipients.toSorted())

    // What arrives under the hold is held by the next pass.
    await enqueue(bench, { from: 's@remote.example', to: 'berta@hcg.example', count: 7 })
    expect(await host.observe(scopeOf('hcg.example'), never)).toMatchObject([{ open: 7, held: 192 }])
    expect(await close(host, 'hcg.example')).toMatchObject({ open: 0, held: 199 })

    const sink = await startSink(bench)
    try {
      expect(await release(host, 'hcg.example')).toMatchObject({ held: 0 })
      await waitUntil('every message of the domain at the sink', () => !queueOf(bench).some(isOf('hcg.example')))
      // The release tries the whole queue again, so the neighbours' mail is there too: nothing is there twice.
      const ids = received(sink.received())
      expect(new Set(ids).size).toBe(ids.length)
      const ofDomain = sink.received().filter(text => /^X-(?:Mail|Rcpt)-Args: .*@hcg\.example>/im.test(text))
      expect(ofDomain.length).toBe(199)
    } finally {
      await sink.stop()
    }
  })

  test('what waits is counted by the domain of its sender, without what is held', async () => {
    await enqueue(bench, { from: 'berta@HCG.example', to: 'r@remote.example', count: 6 })
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 3 })
    await enqueue(bench, { from: '', to: 'berta@hcg.example', count: 2 })
    await enqueue(bench, { from: 'x@other.example', to: 'r@remote.example', count: 4 })
    const host = open()
    const counts = async () => Object.fromEntries((await host.waiting?.(never)) ?? [])
    expect(await counts()).toEqual({ 'hcg.example': 6, 'remote.example': 3, 'other.example': 4 })
    await close(host, 'other.example')
    expect(await counts()).toEqual({ 'hcg.example': 6, 'remote.example': 3 })
  })

  test('what an administrator held before stays held, and is said', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 5 })
    const [first, second] = queueOf(bench).map(({ queue_id: id }) => id)
    postsuper(bench, ['-h', '-'], [first ?? '', second ?? ''])
    const host = open()
    expect(await close(host, 'hcg.example')).toEqual({ door: 'queue', open: 0, held: 3, heldByOthers: 2 })
    expect(await release(host, 'hcg.example')).toEqual({ door: 'queue', open: 3, held: 0, heldByOthers: 2 })
    const held = queueOf(bench).filter(({ queue_name: name }) => name === 'hold')
    expect(held.map(({ queue_id: id }) => id).sort()).toEqual([first, second].sort())
  })

  test('purged is what was seen and nothing else: not another message under its id, nor another arrival, nor a foreign hold', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 5 })
    const [foreign] = queueOf(bench).map(({ queue_id: id }) => id)
    postsuper(bench, ['-h', '-'], [foreign ?? ''])
    const host = open()
    await close(host, 'hcg.example')
    const door = host.heldMail
    if (door === undefined) throw new Error('no held mail')
    const listed = await door.list(scopeOf('hcg.example'), never)
    expect(listed.map(({ id }) => id)).not.toContain(foreign)
    const seen = await door.evidence(scopeOf('hcg.example'), listed, never)
    expect(new Set(seen.map(({ headers }) => headers)).size).toBe(4)
    const [one, two, three] = seen
    if (one === undefined || two === undefined || three === undefined) throw new Error('too few')
    // The ids of these are there, and the messages that were seen are not: an id that was used again looks like this.
    const claimed = [
      { ...one, headers: two.headers },
      { ...two, arrivedAt: two.arrivedAt - 1000 },
      { ...three, id: foreign ?? '' },
    ]
    expect((await door.purge(scopeOf('hcg.example'), claimed, never)).purged).toEqual([])
    expect(queueOf(bench)).toHaveLength(5)
    const { purged, state } = await door.purge(scopeOf('hcg.example'), [one], never)
    expect(purged).toEqual([{ id: one.id, arrivedAt: one.arrivedAt }])
    expect(state).toMatchObject({ open: 0, held: 3, heldByOthers: 1 })
    expect(queueOf(bench).map(({ queue_id: id }) => id)).not.toContain(one.id)
    expect(await door.purge(scopeOf('hcg.example'), [one], never)).toMatchObject({ purged: [] })
  })

  test('a message between two held domains waits for both', async () => {
    await enqueue(bench, { from: 'ana@hcg.example', to: 'ana@evil-hcg.example', count: 2 })
    await enqueue(bench, { from: 'ana@hcg.example', to: 'r@remote.example', count: 1 })
    const host = open()
    expect(await close(host, 'hcg.example')).toMatchObject({ held: 3 })
    expect(await close(host, 'evil-hcg.example')).toMatchObject({ open: 0, held: 2 })
    expect(await release(host, 'hcg.example')).toMatchObject({ open: 1, held: 0, heldByOthers: 2 })
    expect(queueOf(bench).filter(({ queue_name: name }) => name === 'hold').length).toBe(2)
    // One that came between the passes of the second hold is not let go either.
    await close(host, 'hcg.example')
    await enqueue(bench, { from: 'berta@evil-hcg.example', to: 'berta@hcg.example', count: 1 })
    await close(host, 'hcg.example')
    await release(host, 'hcg.example')
    expect(
      queueOf(bench)
        .filter(isOf('evil-hcg.example'))
        .map(({ queue_name: name }) => name),
    ).toEqual(Array(3).fill('hold'))
    expect(await release(host, 'evil-hcg.example')).toMatchObject({ open: 3, held: 0, heldByOthers: 0 })
  })

  test('what is remembered outlives the process; what is not is never released', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 4 })
    const held = heldInMemory()
    await close(open({ held }), 'hcg.example')
    expect(await release(open(), 'hcg.example')).toEqual({ door: 'queue', open: 0, held: 0, heldByOthers: 4 })
    expect(await release(open({ held }), 'hcg.example')).toEqual({ door: 'queue', open: 4, held: 0, heldByOthers: 0 })
    expect(await held.list()).toEqual([])
  })

  test('a message is remembered before it is held, so a cut in between loses none', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 4 })
    const held = heldInMemory()
    const commands = { ...postfixCommands(bench), postsuper: ['/nonexistent/postsuper'] }
    await expect(close(open({ held, commands }), 'hcg.example')).rejects.toMatchObject({ kind: 'unreachable' })
    expect((await held.list()).length).toBe(4)
    expect(queueOf(bench).every(({ queue_name: name }) => name === 'deferred')).toBe(true)
    expect(await close(open({ held }), 'hcg.example')).toMatchObject({ open: 0, held: 4 })
    // Somebody let one go by hand: it is held again, and remembered once.
    postsuper(bench, ['-H', '-'], [queueOf(bench)[0]?.queue_id ?? ''])
    expect(await close(open({ held }), 'hcg.example')).toMatchObject({ open: 0, held: 4 })
    expect((await held.list()).length).toBe(4)
  })

  test('what waited for half of its life is requeued, with a new life, and leaves once', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: 3 })
    await enqueue(bench, { from: 's@remote.example', to: 'ana@evil-hcg.example', count: 1 })
    const ends: { how: string; ids: string[] }[] = []
    const memory = heldInMemory()
    const held: HeldMessages = {
      ...memory,
      async remove(some: readonly HeldMessage[], how) {
        if (some.length > 0) ends.push({ how, ids: some.map(({ id }) => id).sort() })
        await memory.remove(some, how)
      },
    }
    const later = { ...systemClock, now: () => systemClock.now() + 3 * 86_400_000 }
    await close(open({ held }), 'hcg.example')
    const ids = queueOf(bench)
      .filter(isOf('hcg.example'))
      .map(({ queue_id: id }) => id)
    const sink = await startSink(bench)
    try {
      expect(await release(open({ held, clock: later }), 'hcg.example')).toMatchObject({ held: 0, heldByOthers: 0 })
      expect(ends).toEqual([{ how: 'requeued', ids: ids.sort() }])
      await waitUntil('all three at the sink', () => !queueOf(bench).some(isOf('hcg.example')))
      const texts = sink.received().filter(text => /^X-Rcpt-Args: .*@hcg\.example>/im.test(text))
      expect(new Set(received(texts)).size).toBe(3)
      expect(texts.length).toBe(3)
      // The log joins the old id to the new one.
      for (const id of ids) expect(bench.servers.log()).toContain(`orig_id=${id}`)
    } finally {
      await sink.stop()
    }
  })

  test('an account is held with its +detail and nobody else of its domain', async () => {
    await enqueue(bench, { from: 's@remote.example', to: 'Ana+list@hcg.example' })
    await enqueue(bench, { from: 's@remote.example', to: 'anabel@remote.example' })
    await enqueue(bench, { from: 's@remote.example', to: 'berta@hcg.example' })
    await enqueue(bench, { from: 'ana@hcg.example', to: 'r@remote.example' })
    const host = open()
    expect(await close(host, 'ana@hcg.example')).toMatchObject({ open: 0, held: 2 })
    expect(queueOf(bench).filter(({ queue_name: name }) => name === 'hold').length).toBe(2)
    expect(await close(host, 'hcg.example')).toMatchObject({ open: 0, held: 3 })
    // The account's own hold stays when that of the domain goes.
    expect(await release(host, 'hcg.example')).toMatchObject({ open: 1, held: 0, heldByOthers: 2 })
    expect(await release(host, 'ana@hcg.example')).toMatchObject({ open: 2, held: 0 })
  })

  test('mail that a program drops while Postfix rests is held once pickup has it', async () => {
    const args = ['-C', `${bench.servers.folder}/pf/etc`, '-f', 'ana@hcg.example', 'r@remote.example']
    expect(run('/usr/sbin/sendmail', args, 'Subject: dropped\n\nHello.\n').status).toBe(0)
    expect(await close(open(), 'hcg.example')).toMatchObject({ open: 0, held: 1 })
  })

  test('whoever may not, learns that it is not allowed; a list that makes no sense is no shorter queue', async () => {
    const nobody = ['/usr/bin/setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups']
    await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example' })
    const commands = postfixCommands(bench)
    const noRoot = open({ commands: { ...commands, postsuper: [...nobody, ...commands.postsuper] } })
    await expect(close(noRoot, 'hcg.example')).rejects.toMatchObject({ kind: 'unauthorized', retry: 'never' })
    const liar = open({ commands: { ...commands, postqueue: ['/usr/bin/printf', '{"queue_name": "hold"}\n%s'] } })
    await expect(close(liar, 'hcg.example')).rejects.toMatchObject({ kind: 'malformed-reply' })
    const cut = open({ commands: { ...commands, postqueue: ['/usr/bin/printf', '{"queue_name": "hol%s'] } })
    await expect(cut.observe(scopeOf('hcg.example'), never)).rejects.toMatchObject({ kind: 'malformed-reply' })
    expect(queueOf(bench).map(({ queue_name: name }) => name)).toEqual(['deferred'])
  })

  test('nothing that deletes, bounces or expires was ever asked for', () => {
    expect(bench.servers.log()).not.toMatch(/postsuper.*(?:expired|force-expired)|status=expired/)
  })

  test('the shipped lines have no finding but those that this test’s own lines bring', async () => {
    const findings = await open().examine(never)
    // The bench has no policy service at port 25: each of its other lines is as it is shipped.
    expect(findings.map(({ code, parameter }) => [code, parameter.replace(/^[\d.:]+\/inet/, 'smtp/inet')])).toEqual([
      ['policy-absent', 'smtp/inet: smtpd_recipient_restrictions'],
    ])
  })
})
