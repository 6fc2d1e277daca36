/**
 * VMs of QEMU pass the suite of adapters, in both ways of attaching.
 */
import { adapterCases } from 'godwit/adapter-suite'
import { afterAll, describe } from 'vitest'
import { isImpossible, needs } from '../qemu/vm.ts'
import { ledger } from './ledger.ts'
import { passes } from './passes.ts'
import { byFile, byStream, CountingVm } from './qemu.ts'

/** They count no steps, cannot be slowed or taken over, and wait for no page. */
const idle = [
  'steps/grow',
  'classes/pages',
  'state/restores',
  'state/refuses',
  'throttle/slows',
  'throttle/paused',
  'host/checkpoint',
  'move/post-copy-memory',
  'move/post-copy',
]
const marks = 'tracker/marks'
/** Stores of another process are found by comparing. */
const ofTrackers = adapterCases(ledger)
  .map(({ name }) => name)
  .filter((name) => name.startsWith('tracker/'))

describe.skipIf(isImpossible)(`QEMU${needs}`, () => {
  const vm = new CountingVm()
  afterAll(() => vm.end())

  const noTracker = [...idle, ...ofTrackers, 'stop/by-itself']
  // By the kernel, and by the file system that temporary files are in.
  passes('a VM with its RAM in a file', vm.adapter(byFile), noTracker, [marks])
  passes('a VM by its stream', vm.adapter(byStream), [...idle, marks])
})
