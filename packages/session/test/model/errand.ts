/**
 * A source that was started anew. Its guest died with the process before; by its record the
 * destination may have it, so that it asks, and hands over again what is still held there.
 *
 * @module
 */
import type { OwnerAnswer } from '@godwit/wire'
import { closeAtSource, encode, postFromSource } from './network.ts'
import type { Plan } from './source-side.ts'
import { changeSource } from './source-side.ts'
import type { System } from './system.ts'
import { insist } from './violation.ts'

export function dialAnew(system: System): void {
  changeSource(system, { errand: 'dialling', isDialling: true })
}

/** The connection is lost: once more. */
export function loseErrand(system: System): void {
  closeAtSource(system)
  if (!isTold(system)) dialAnew(system)
}

export function hearOnErrand(system: System, text: string, { terms, rules }: Plan): void {
  const [name, fact] = text.split(' ')
  switch (`${system.source.errand}/${name}`) {
    case 'greeting/Preface':
      changeSource(system, { errand: 'asking' })
      return postFromSource(system, encode('OwnerQuery'))
    case 'asking/Owner': {
      const postCopy = terms.source.mode === 'post-copy'
      const answer = fact as OwnerAnswer
      if (fact !== 'prepared' || !rules.mayCommitAnew(postCopy)) return endErrand(system, answer)
      insist(system.source.disk.record === 'released', 'COMMIT before `released` is durable')
      changeSource(system, { errand: 'committing' })
      return postFromSource(system, encode('Commit'))
    }
    case 'committing/Running':
      return endErrand(system, 'running')
    default:
      return fact === 'SESSION_UNKNOWN' ? endErrand(system, 'unknown') : loseErrand(system)
  }
}

/** Whether it is over: there is an answer. */
export function isTold({ source }: System): boolean {
  return source.errand.startsWith('told')
}

function endErrand(system: System, answer: OwnerAnswer | 'unknown'): void {
  changeSource(system, { errand: `told ${answer}` })
  closeAtSource(system)
}
