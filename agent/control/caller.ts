/** Who asks: a person with a valid token, or the unix user on the host itself (contract section 4, "Who acts"). */
import { authenticate } from '../incident/people.ts'
import type { Language } from '../model/entity.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { Caller } from './operation.ts'
import type { ControlRequest } from './protocol.ts'

/** A token that is not valid is no quiet fall-back to the local user: `refused` says so and the operation must not run. */
export function authenticateCaller(engine: Engine, request: Pick<ControlRequest, 'user' | 'token' | 'args'>): Caller {
  const language: Language = request.args['language'] === 'es' ? 'es' : 'en'
  if (request.token === undefined)
    return { actor: { person: `local:${request.user}`, role: 'local' }, token: null, refused: false, language }
  const { config, clock } = engine.parts
  const found = authenticate(engine.history.tokens, config.operator.people, request.token, clock.now())
  if (found === undefined)
    return { actor: { person: `local:${request.user}`, role: 'local' }, token: null, refused: true, language }
  const { person, token } = found
  return { actor: { person: person.name, role: person.role }, token, refused: false, language }
}
