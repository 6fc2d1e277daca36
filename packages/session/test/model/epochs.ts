/**
 * Connections are numbered upwards for ever. Only their order means something, so that the numbers
 * are made as small as they can be, and what comes again is known again.
 *
 * @module
 */
import type { DestinationState } from '../../src/destination-state.ts'
import type { SourceState } from '../../src/source-state.ts'
import type { System } from './system.ts'

function epochOf(state: SourceState | DestinationState | undefined): number | undefined {
  if (state === undefined) return undefined
  if ('epoch' in state) return state.epoch
  return 'again' in state ? state.again?.epoch : undefined
}

function withEpoch<State extends SourceState | DestinationState>(
  state: State,
  epoch: number,
): State {
  if ('again' in state) return { ...state, again: { ...state.again, epoch } }
  return { ...state, epoch }
}

function allEpochs({ source, destination, lines }: System): number[] {
  const epochs = [0, destination.accepted, ...lines.map(({ epoch }) => epoch)]
  const [here, there] = [epochOf(source.machine), epochOf(destination.machine)]
  if (here !== undefined) epochs.push(here)
  if (there !== undefined) epochs.push(there)
  return epochs
}

/** Of a connection that is dialled now. */
export function nextEpoch(system: System): number {
  return Math.max(...allEpochs(system)) + 1
}

/** 0 stays: it is the epoch of the first connection for good. */
export function renumber(system: System): void {
  const epochs = [...new Set(allEpochs(system))].sort((a, b) => a - b)
  if (epochs[epochs.length - 1] === epochs.length - 1) return
  const { source, destination } = system
  const [here, there] = [epochOf(source.machine), epochOf(destination.machine)]
  if (here !== undefined) {
    system.source = { ...source, machine: withEpoch(source.machine, epochs.indexOf(here)) }
  }
  if (there !== undefined) {
    const machine = withEpoch(destination.machine!, epochs.indexOf(there))
    system.destination = { ...destination, machine }
  }
  const accepted = epochs.indexOf(destination.accepted)
  system.destination = { ...system.destination, accepted }
  system.lines = system.lines.map((line) => ({ ...line, epoch: epochs.indexOf(line.epoch) }))
}
