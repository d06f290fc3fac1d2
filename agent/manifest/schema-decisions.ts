/**
 * The form of decision tables: what is asked of the live decision, in which small estate, and what it shall answer.
 * Auditors and operators write them; `mailwarden policy test` runs them. Shapes only.
 */
import Type, { type Static } from 'typebox'
import { accesses, scopes } from '../model/entity.ts'
import { inbounds, levers } from '../model/incident.ts'
import { dayPattern } from './forms.ts'
import { policyNames } from './schema.ts'
import { closed, oneOf, text } from './schema-parts.ts'

/** Read, never changed. */
type Frozen<T> = T extends readonly (infer U)[]
  ? readonly Frozen<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T

/** A map whose keys are names that the author chooses. */
const named = <S extends Parameters<typeof Type.Record>[1]>(value: S, description: string) =>
  Type.Unsafe<Readonly<Record<string, Static<S>>>>({ type: 'object', additionalProperties: value, description })
const words = (description: string, example: string) => Type.Array(text(description, example))
const states = ['active', 'queued', 'blocked', 'restricted', 'suspended', 'withdrawn'] as const
const count = (description: string) => Type.Integer({ minimum: 0, maximum: 1_000_000, description })
const Until = Type.String({ pattern: dayPattern, description: 'The last day.', examples: ['2026-06-30'] })

const InstitutionText = closed(
  {
    language: Type.Optional(oneOf(['es', 'en'], 'Language of its refusals; es by default.')),
    networks: Type.Optional(words('A network of it.', '10.20.0.0/16')),
    servers: Type.Optional(
      Type.Array(
        closed(
          {
            networks: words('Addresses of the server.', '192.0.2.5/32'),
            roles: Type.Array(oneOf(['collect', 'relay'], 'What it does.')),
          },
          'One of its own mail servers.',
        ),
      ),
    ),
  },
  'An institution.',
)
const DomainText = closed(
  {
    institution: text('Who owns it.', 'hospital'),
    state: Type.Optional(oneOf(states, 'Its state; active by default.')),
    inbound: Type.Optional(oneOf(inbounds, 'What becomes of inbound mail under a hold; defer by default.')),
    collector: Type.Optional(text('The collecting login, without the domain.', 'multipop')),
  },
  'A domain. Its administrator is admin@ the domain.',
)
const ExceptionText = closed(
  {
    send: Type.Optional(text('A domain or an address that may be written to.', 'who.int')),
    receive: Type.Optional(text('A domain or an address that may write.', 'who.int')),
    access: Type.Optional(oneOf(accesses, 'From where it may be used.')),
    rate: Type.Optional(
      closed(
        {
          recipientsPerHour: count('External recipients in an hour.'),
          recipientsPerDay: count('External recipients in a day.'),
        },
        'What a declared sender may send.',
      ),
    ),
    until: Until,
  },
  'A dated exception.',
)
const AccountText = closed(
  {
    send: Type.Optional(oneOf(scopes, 'How far it writes; national by default.')),
    receive: Type.Optional(oneOf(scopes, 'From how far it is written to; international by default.')),
    access: Type.Optional(oneOf(accesses, 'From where it is used; institution by default.')),
    state: Type.Optional(oneOf(states, 'Its state; active by default.')),
    aliases: Type.Optional(words('Another name of it, without the domain.', 'juan.perez')),
    except: Type.Optional(Type.Array(ExceptionText)),
  },
  'An account.',
)
const HoldText = closed(
  {
    incident: text('Its incident.', 'INC-1'),
    domain: text('The domain that is held.', 'hcg.sld.cu'),
    account: Type.Optional(text('The account, where not the whole domain is.', 'jperez@hcg.sld.cu')),
    levers: Type.Optional(Type.Array(oneOf(levers, 'What is closed; everything by default.'))),
  },
  'A hold.',
)
const networks = (description: string) => Type.Optional(words(description, '200.55.128.0/18'))

const circumstances = {
  national: Type.Optional(
    closed(
      {
        suffixes: Type.Optional(words('A national suffix; cu by default.', 'cu')),
        domains: Type.Optional(words('A national domain.', 'infomed.example')),
        networks: networks('A national network.'),
      },
      'What is national.',
    ),
  ),
  country: Type.Optional(text('Lines of a registry’s statistics file, for the country cu.')),
  modes: Type.Optional(
    Type.Partial(
      Type.Record(Type.Enum([...policyNames]), oneOf(['off', 'observe', 'enforce'], 'Mode of the policy.')),
      { additionalProperties: false, description: 'Mode of each policy; enforce by default.' },
    ),
  ),
  limits: Type.Optional(
    closed(
      {
        recipientsPerHour: Type.Optional(count('External recipients of a login in an hour; 200 by default.')),
        recipientsPerDay: Type.Optional(count('External recipients of a login in a day; 500 by default.')),
      },
      'Limits of rates.',
    ),
  ),
  holds: Type.Optional(Type.Array(HoldText)),
}
const parts = {
  institutions: named(InstitutionText, 'Institutions by name.'),
  domains: named(DomainText, 'Domains by name.'),
  accounts: named(AccountText, 'Accounts by address.'),
}

/** A file `estate.yaml`: what the tables of its folder share. */
export const Estate = closed({ ...parts, ...circumstances }, 'A small estate, without papers.')
export type EstateText = Frozen<Static<typeof Estate>>

const OwnEstate = closed(
  {
    institutions: Type.Optional(parts.institutions),
    domains: Type.Optional(parts.domains),
    accounts: Type.Optional(parts.accounts),
    ...circumstances,
  },
  'Laid over the estate.yaml of the folder, if there is one. Over manifests: national, modes, limits and holds alone.',
)
export type OwnEstateText = Frozen<Static<typeof OwnEstate>>

const free = (description: string, example: string) =>
  Type.String({ maxLength: 2000, description, examples: [example] })

const Case = closed(
  {
    description: text('What it shows.', 'national abroad'),
    request: closed(
      {
        login: Type.Optional(free('Who logged in; nobody by default.', 'jperez@hcg.sld.cu')),
        sender: Type.Optional(free('Envelope sender; the login by default.', 'jperez@hcg.sld.cu')),
        recipient: free('Envelope recipient; empty where none is judged.', 'x@who.int'),
        client: Type.Optional(free('Client address; one inside the login’s institution by default.', '10.20.0.9')),
        state: Type.Optional(free('Stage of the session; RCPT by default.', 'END-OF-MESSAGE')),
        at: Type.Optional(
          Type.String({
            pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?(?:Z|[+-]\\d\\d:\\d\\d)$',
            description: 'When, RFC 3339; noon UTC of 2026-06-15 by default, over manifests now.',
            examples: ['2026-06-15T12:00:00Z'],
          }),
        ),
        spent: Type.Optional(
          closed(
            { hour: count('In the last hour.'), day: count('In the last day.') },
            'External recipients that the login has written to before.',
          ),
        ),
      },
      'What is asked.',
    ),
    decision: closed(
      {
        effect: oneOf(['dunno', 'defer', 'reject'], 'What is answered.'),
        reason: Type.Optional(oneOf([...policyNames, 'permitted'] as const, 'The policy that decides.')),
        reply: Type.Optional(text('How the reply begins.', '550 5.7.1')),
        also: Type.Optional(Type.Array(oneOf(policyNames, 'A policy that has something to say too.'))),
        source: Type.Optional(text('The incident, or file:line:column, that it rests on.', 'INC-1')),
      },
      'What shall be found.',
    ),
  },
  'A case.',
)

/** A document of a file of decision tables. */
export const DecisionTable = closed(
  {
    title: text('What the table is about.', 'scope-send, how far an account writes'),
    estate: Type.Optional(OwnEstate),
    cases: Type.Array(Case, { minItems: 1, description: 'The cases, each by itself.' }),
  },
  'A decision table.',
)
export type DecisionTableText = Frozen<Static<typeof DecisionTable>>
