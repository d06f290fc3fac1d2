/** What doctor is told of a Postfix configuration, read by the real `postconf` from the shipped lines with one mistake each. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../agent/core/system-clock.ts'
import { renderSnippets } from '../../providers/embedded-directory/snippets.ts'
import { openPostfix } from '../../providers/postfix/host.ts'
import { parseTimeMs, splitList } from '../../providers/postfix/postconf.ts'
import { absentOf, describeServers } from '../servers/suite.ts'
import { never } from './bench.ts'

const policy = 'inet:127.0.0.1:10031'
const clause = (action: string, timeout = 'timeout=5s') => `{ ${policy}, ${timeout}, ${action} }`
const later = '{ default_action = 451 4.3.5 later }'

test('restriction lists are split like Postfix does, clauses in braces whole', () => {
  expect(splitList(`reject,a  b,\tcheck_policy_service { x, { y = z w } }, permit`)).toEqual([
    'reject',
    'a',
    'b',
    'check_policy_service',
    '{ x, { y = z w } }',
    'permit',
  ])
})

test.each([
  ['5', 5 * 86_400_000],
  ['5d', 5 * 86_400_000],
  ['4h', 14_400_000],
  ['1w', 604_800_000],
  ['0', 0],
  ['soon', undefined],
] as const)('a time of %s', (text, ms) => {
  expect(parseTimeMs(text, 'd')).toBe(ms)
})

describeServers(
  'examine',
  () => absentOf(['/usr/sbin/postconf']),
  () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync('/tmp/mw-')
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    async function examine(change: (main: string, master: string) => readonly [string, string]) {
      const snippets = renderSnippets({ directory: '/srv/directory.db', policy: '127.0.0.1:10031' })
      const text = (path: string) => snippets.find(snippet => snippet.path === path)?.text ?? ''
      const [main, master] = change(
        `compatibility_level = 3.6\n${text('postfix/main.cf')}`,
        `smtp inet n - y - - smtpd\n${text('postfix/master.cf')}\npickup unix n - y 60 1 pickup\n`,
      )
      writeFileSync(join(folder, 'main.cf'), main)
      writeFileSync(join(folder, 'master.cf'), master)
      // Postfix waits for a file that is younger than two seconds.
      for (const name of ['main.cf', 'master.cf']) utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000)
      const host = openPostfix({
        name: 'mx1',
        clock: systemClock,
        commands: { postconf: ['/usr/sbin/postconf', '-c', folder] },
        policy: [policy],
      })
      return host.examine(never)
    }

    test('the shipped lines have none', async () => {
      expect(await examine((main, master) => [main, master])).toEqual([])
    })

    const main = (lines: string) => (text: string, master: string) => [`${text}\n${lines}\n`, master] as const
    const recipient = (list: string) => main(`smtpd_recipient_restrictions = ${list}`)
    const submission = (from: string | RegExp, to: string) => (text: string, master: string) =>
      [text, master.replace(from, to)] as const

    test.each([
      ['short ids', main('enable_long_queue_ids = no'), [['short-queue-ids', 'enable_long_queue_ids', 'no']]],
      [
        'nobody is asked at port 25',
        recipient('reject_unknown_recipient_domain'),
        [['policy-absent', 'smtp/inet: smtpd_recipient_restrictions', 'reject_unknown_recipient_domain']],
      ],
      [
        'somebody else is asked',
        recipient('check_policy_service inet:127.0.0.1:10023'),
        [['policy-absent', 'smtp/inet: smtpd_recipient_restrictions', 'check_policy_service inet:127.0.0.1:10023']],
      ],
      [
        'asked after a permit',
        recipient(`permit_mynetworks, check_policy_service ${clause(later)}`),
        [['policy-after-permit', 'smtpd_recipient_restrictions', 'permit_mynetworks']],
      ],
      [
        'submission: asked after those who are logged in',
        submission(
          /check_policy_service \$mailwarden_submission, permit_sasl_authenticated, reject/,
          'permit_sasl_authenticated, check_policy_service $mailwarden_submission, reject',
        ),
        [['policy-after-permit', 'submission/inet/smtpd_recipient_restrictions', 'permit_sasl_authenticated']],
      ],
      [
        'submission: nobody is asked',
        submission(
          /( {2}-o \{ smtpd_(?:recipient|end_of_data)_restrictions = check_policy_service.*\n){2}/,
          '  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n',
        ),
        [
          [
            'policy-absent',
            'submission/inet: submission/inet/smtpd_recipient_restrictions',
            'permit_sasl_authenticated,reject',
          ],
        ],
      ],
      [
        'asked without a recipient',
        main(`smtpd_recipient_restrictions =\nsmtpd_sender_restrictions = check_policy_service ${clause(later)}`),
        [['policy-without-recipient', 'smtpd_recipient_restrictions', 'smtpd_sender_restrictions']],
      ],
      [
        'asked before strangers are refused',
        main('smtpd_relay_restrictions = permit_mynetworks'),
        [['policy-before-relay-check', 'smtpd_recipient_restrictions', '']],
      ],
      [
        'asked before strangers are refused, by order',
        main('smtpd_relay_before_recipient_restrictions = no'),
        [['policy-before-relay-check', 'smtpd_recipient_restrictions', '']],
      ],
      [
        'a hundred seconds of silence',
        recipient(`check_policy_service ${clause(later, 'try_limit=2')}`),
        [['policy-slow', 'smtpd_policy_service_timeout', '100s']],
      ],
      [
        'no answer lets through',
        recipient(`check_policy_service ${clause('default_action=DUNNO')}`),
        [['policy-default-action', 'smtpd_recipient_restrictions', 'DUNNO']],
      ],
      [
        'no answer sends back, by default',
        main(
          `smtpd_policy_service_default_action = 550 no\nsmtpd_recipient_restrictions = check_policy_service ${clause('try_limit=2')}`,
        ),
        [['policy-default-action', 'smtpd_policy_service_default_action', '550 no']],
      ],
      [
        'an action without its braces',
        recipient(`check_policy_service ${clause('default_action = 451 4.3.5 later')}`),
        [['policy-braces', 'smtpd_recipient_restrictions', 'default_action = 451 4.3.5 later']],
      ],
      [
        'a map that needs a reload',
        main('virtual_mailbox_domains = texthash:/etc/postfix/domains'),
        [['map-needs-reload', 'virtual_mailbox_domains', 'texthash:/etc/postfix/domains']],
      ],
      [
        'a map behind proxymap that needs one',
        main('transport_maps = proxy:sqlite:/x.cf, proxy:hash:/etc/postfix/transport'),
        [['map-needs-reload', 'transport_maps', 'proxy:hash:/etc/postfix/transport']],
      ],
      [
        'a list of senders that needs one',
        main('smtpd_sender_restrictions = check_sender_access regexp:/etc/postfix/senders'),
        [['map-needs-reload', 'smtpd_sender_restrictions', 'regexp:/etc/postfix/senders']],
      ],
      [
        'an open relay: the whole world is its own network',
        main('mynetworks = 127.0.0.0/8 0.0.0.0/0'),
        [['open-relay', 'mynetworks', '0.0.0.0/0']],
      ],
      [
        'an open relay: the whole world of IPv6',
        main('mynetworks = 127.0.0.0/8, [::]/0'),
        [['open-relay', 'mynetworks', '[::]/0']],
      ],
      [
        'an open relay: a permit before the check',
        main('smtpd_relay_restrictions = permit, reject_unauth_destination'),
        [['open-relay', 'smtpd_relay_restrictions', 'permit']],
      ],
      [
        'a network of its own that is large, as provinces have them',
        main('mynetworks = 127.0.0.0/8 10.0.0.0/8 [2001:db8::]/32'),
        [],
      ],
      [
        'the world as its own network, and nobody of it may relay',
        main('mynetworks = 0.0.0.0/0\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination'),
        [],
      ],
    ] as const)('%s', async (_, change, wanted) => {
      const findings = await examine(change)
      expect(findings.map(({ code, parameter, found }) => [code, parameter, found])).toEqual(wanted)
      for (const finding of findings) expect(finding.wanted).not.toBe('')
    })
  },
)
