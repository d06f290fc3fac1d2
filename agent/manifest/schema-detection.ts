/** `spec.detection` of the agent's configuration: what signals may do without a person (mission section 8). */
import { type Static, Type } from 'typebox'
import { closed, oneOf } from './schema-parts.ts'

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
  },
  'What signals of misuse may do by themselves.',
)
export type DetectionSpec = Static<typeof DetectionSpec>
