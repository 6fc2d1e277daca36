/**
 * The adapters for memory of one's own pass the suite.
 */
import { adapterCases } from 'godwit/adapter-suite'
import { marksOf, withGuest } from './changes.ts'
import { ledger } from './ledger.ts'
import { allocated, brought } from './memory.ts'
import { passes } from './passes.ts'

const noTracker = adapterCases(ledger)
  .map(({ name }) => name)
  .filter((name) => name.startsWith('tracker/'))
const untouched = 'tracker/untouched'
const marks = 'tracker/marks'
const classes = 'classes/pages'
const itself = 'stop/by-itself'
const postCopy = ['move/post-copy-memory', 'move/post-copy']
/** Of memory that has no steps, cannot be taken over, and cannot be stopped but by its program. */
const ofMemory = [
  'steps/grow',
  itself,
  'state/restores',
  'state/refuses',
  'host/stops',
  'host/checkpoint',
]

/** It stands after some rounds, and says so. */
const selfStopped = withGuest(ledger, (guest) => {
  let rounds = 0
  return {
    async nextRound() {
      if (++rounds < 3) return undefined
      await guest.pause()
      return { stoodMs: 0, numbers: { rounds } }
    },
    resume() {
      rounds = 0
      return guest.resume()
    },
  }
})

passes('the example of the documentation', ledger, [
  untouched,
  marks,
  classes,
  itself,
  'host/checkpoint',
])
passes(
  'one whose stores are marked',
  withGuest(ledger, (guest) => ({ marks: marksOf(guest) })),
  [untouched, classes, itself, 'host/checkpoint'],
)
passes('one that stops by itself', selfStopped, [
  untouched,
  marks,
  classes,
  'host/checkpoint',
  ...postCopy,
])
passes("a program's memory", allocated, [...noTracker, ...ofMemory, classes])
passes("a program's memory at both ends", brought, [...noTracker, ...ofMemory, classes])
