/** The shape of `signals` in the configuration (mission section 8): thresholds, each with its default. */
import { Type } from 'typebox'
import { closed } from './schema-parts.ts'

const threshold = (description: string) => Type.Integer({ minimum: 0, description })

export const SignalsSpec = closed(
  {
    unknownRecipients: Type.Optional(
      closed(
        {
          alert: Type.Optional(threshold('In an hour; 25 by default.')),
          act: Type.Optional(threshold('In an hour; 50 by default.')),
        },
        'Mail of a login to names that nobody has.',
      ),
    ),
    bounces: Type.Optional(
      closed(
        {
          percent: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 100, description: 'Of what it sent in an hour; 8 by default.' }),
          ),
          recipients: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Of fewer recipients nothing is said; 50 by default.' }),
          ),
        },
        'Mail of a login that comes back.',
      ),
    ),
    unknownRelay: Type.Optional(
      closed(
        { alert: Type.Optional(threshold('In an hour; 1 by default.')) },
        'Mail that a server of the institution brings in the name of a domain of it and of no account.',
      ),
    ),
    offNetwork: Type.Optional(
      closed({ alert: Type.Optional(threshold('In an hour; 1 by default.')) }, 'Attempts of a login from outside.'),
    ),
    scope: Type.Optional(
      closed({ alert: Type.Optional(threshold('In an hour; 20 by default.')) }, 'Mail of a login beyond its scope.'),
    ),
    addressing: Type.Optional(
      closed(
        { alert: Type.Optional(threshold('Logins in an hour; 5 by default.')) },
        'Logins from outside that come from one network: told once, for the network.',
      ),
    ),
    recipients: Type.Optional(
      closed(
        {
          alert: Type.Optional(threshold('In an hour, of a login without a past; 60 by default.')),
          times: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Times what is usual for the login; 3 by default.' }),
          ),
          least: Type.Optional(Type.Integer({ minimum: 1, description: 'Of fewer nothing is said; 20 by default.' })),
        },
        'Distinct external recipients of a login. What is usual: its busiest hours of 28 days, 95 of 100 of them.',
      ),
    ),
    clients: Type.Optional(
      closed(
        { alert: Type.Optional(threshold('More than so many in a day; 10 by default.')) },
        'Distinct client addresses of a login.',
      ),
    ),
  },
  'From when on something is a sign of misuse. A threshold of 0 is never reached.',
)
