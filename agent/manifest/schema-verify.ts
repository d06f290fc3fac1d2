/** `spec.verify` of the agent's configuration: what is looked at after a change, as its users see it. */
import { type Static, Type } from 'typebox'
import { closed, oneOf, text } from './schema-parts.ts'
import { SecretReference } from './schema-providers.ts'

export const VerifySpec = closed(
  {
    nameServers: Type.Optional(
      Type.Array(text('host:port of a name server that answers for our zones.', '192.0.2.53:53'), {
        maxItems: 20,
        description: 'Asked one by one; the embedded name server by default.',
      }),
    ),
    doors: Type.Optional(
      Type.Array(
        closed(
          {
            protocol: oneOf(['imap', 'pop3', 'submission'], 'imap, pop3 or submission (SMTP AUTH).'),
            server: text('host:port.', 'mail.operator.example:993'),
            tls: Type.Optional(
              oneOf(
                ['tls', 'starttls', 'none'],
                'tls from the first octet (the default), starttls; none only to this host.',
              ),
            ),
            ca: Type.Optional(text('File of the certificate authority, PEM; the system’s by default.')),
            serverName: Type.Optional(text('Name in the certificate; the host by default.', 'mail.operator.example')),
          },
          'A server that people log in to. It must trust this host: see dovecot/mailwarden-verify.conf.',
        ),
        { maxItems: 20, description: 'Where logins are tried.' },
      ),
    ),
    master: Type.Optional(
      closed(
        {
          user: text('Name of the master user.', 'mailwarden-verify'),
          separator: Type.Optional(text('auth_master_user_separator of Dovecot; * by default.', '*')),
          password: SecretReference,
        },
        'Dovecot’s master user: logs in as anybody with their rights and limits, without their password.',
      ),
    ),
    sample: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description: 'Accounts of each domain to try, beside its administrator; 3 by default.',
      }),
    ),
    delivery: Type.Optional(
      Type.Boolean({
        description:
          'One message of the administrator to himself, read and deleted again; needs submission and imap doors. false by default.',
      }),
    ),
    patience: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 300,
        description: 'Seconds that what is not yet as wanted is asked again; 5 by default.',
      }),
    ),
  },
  'After a change, what people see is looked at: name servers, logins, a delivery.',
)
export type VerifySpec = Static<typeof VerifySpec>
