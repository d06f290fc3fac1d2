/** `spec.detection` of the agent's configuration: what signals may do without a person (mission section 8). */
import { type Static, Type } from 'typebox'
import { closed, oneOf, text } from './schema-parts.ts'
import { SecretReference } from './schema-providers.ts'

export const DetectionSpec = closed(
  {
    restrict: Type.Optional(
      oneOf(
        ['off', 'observe', 'enforce'],
        'enforce: signals restrict an account by themselves, and a domain in the three cases that need no person. observe (the default): what would have been closed is recorded and shown. off: signals are told, and that is all.',
      ),
    ),
    storm: Type.Optional(
      closed(
        {
          holds: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1_000, description: 'Within an hour; 10 by default.' }),
          ),
          domainsPercent: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 100,
              description: 'Of all domains, within an hour; 10 by default. Three domains are never a storm.',
            }),
          ),
        },
        'Beyond either, nothing more is closed without a person for an hour, or until one says so.',
      ),
    ),
    reports: Type.Optional(
      closed(
        {
          mailbox: closed(
            {
              server: text('host:port of IMAP.', 'mail.operator.example:993'),
              tls: Type.Optional(
                oneOf(
                  ['tls', 'starttls', 'none'],
                  'tls from the first octet (the default), starttls; none only to this host.',
                ),
              ),
              ca: Type.Optional(text('File of the certificate authority, PEM; the system’s by default.')),
              serverName: Type.Optional(text('Name in the certificate; the host by default.')),
              user: text('Login of the mailbox.', 'abuse@operator.example'),
              password: SecretReference,
              folder: Type.Optional(text('INBOX by default.', 'INBOX')),
            },
            'The mailbox that abuse reports come to. What was read stays there, with a keyword.',
          ),
          authservId: text(
            'What your own server writes first in Authentication-Results. Only where it adds that field, and removes those in its name that a message comes with.',
            'mx1.operator.example',
          ),
          reporters: Type.Array(text('Domain that sends reports, proved by DKIM or SPF.', 'reporter.example'), {
            maxItems: 200,
          }),
        },
        'Abuse reports (RFC 5965). One counts when the mail log (evidence.logs) has the message that it is about and a reporter that is named here proved to have sent it.',
      ),
    ),
    blocklists: Type.Optional(
      closed(
        {
          resolver: text('host:port of a resolver of your own: lists refuse the public ones.', '127.0.0.1:53'),
          lists: Type.Array(
            closed(
              {
                zone: text('The zone that is asked.', 'zen.blocklist.example'),
                of: oneOf(['addresses', 'domains'], 'What it lists.'),
              },
              'A list.',
            ),
            { maxItems: 20 },
          ),
          relays: Type.Optional(
            Type.Array(text('An address that your mail leaves from.', '192.0.2.25'), { maxItems: 200 }),
          ),
        },
        'DNS blocklists (RFC 5782), asked every hour. A listing is told; with a second family of signal it is a proposal.',
      ),
    ),
    logins: Type.Optional(
      closed(
        {
          logs: Type.Array(text('A log of Dovecot that this host can read.', '/var/log/mail.log'), { maxItems: 50 }),
          proxies: Type.Optional(
            Type.Array(
              text('Network of webmail or a proxy, CIDR: the log has its address, not its users’.', '10.9.0.0/24'),
              {
                maxItems: 200,
              },
            ),
          ),
        },
        'Logins, read every minute: one that succeeds where the account may not log in is a signal.',
      ),
    ),
  },
  'What signals of misuse may do by themselves.',
)
export type DetectionSpec = Static<typeof DetectionSpec>
