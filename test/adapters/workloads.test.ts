/**
 * Workloads pass the suite of adapters.
 */
import { adapterCases } from 'godwit/adapter-suite'
import { describe } from 'vitest'
import { ledger } from './ledger.ts'
import { passes } from './passes.ts'
import { workload } from './workloads.ts'

/** What nobody stores has no tracker to be tried; a byte map does not tell what is untouched. */
const ofTrackers = adapterCases(ledger)
  .map(({ name }) => name)
  .filter((name) => name.startsWith('tracker/'))
const untouched = 'tracker/untouched'
const marks = 'tracker/marks'
const classes = 'classes/pages'
const itself = 'stop/by-itself'

passes('writer', workload('writer,threads=2,rate=20000,wss=128KiB'), [
  untouched,
  marks,
  classes,
  itself,
])

// They differ from that one in what a thread computes.
describe.runIf(process.env['GODWIT_LONG'] !== undefined)('the others', () => {
  passes('image', workload('image', true), [...ofTrackers, classes, itself])
  passes('cache', workload('cache'), [untouched, marks, itself])
  passes('network', workload('network'), [untouched, marks, classes, itself])
  for (const text of ['kcs', 'ikcs', 'disk,size=1MiB', 'memory-write']) {
    passes(text, workload(text), [untouched, marks, classes, itself])
  }
  for (const text of ['idle', 'cpu', 'memory-read']) {
    passes(text, workload(text, true), [...ofTrackers, classes, itself])
  }
})
