/**
 * The adapters for memory of one's own pass the suite.
 */
import { adapterCases } from 'godwit/adapter-suite'
import { ledger } from './ledger.ts'
import { allocated, brought } from './memory.ts'
import { passes } from './passes.ts'

const noTracker = adapterCases(ledger)
  .map(({ name }) => name)
  .filter((name) => name.startsWith('tracker/'))
const untouched = 'tracker/untouched'
const classes = 'classes/pages'
/** Of memory that has no steps, cannot be taken over, and cannot be stopped but by its program. */
const ofMemory = ['steps/grow', 'state/restores', 'state/refuses', 'host/stops', 'host/checkpoint']

passes('the example of the documentation', ledger, [untouched, classes, 'host/checkpoint'])
passes("a program's memory", allocated, [...noTracker, ...ofMemory, classes])
passes("a program's memory at both ends", brought, [...noTracker, ...ofMemory, classes])
