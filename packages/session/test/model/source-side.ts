/**
 * The source's process: its machine, the guest and the disk, and what the machine asks for.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import type { SourceEffect, SourceEvent, SourceState } from '../../src/source-state.ts'
import { toldBy } from './errors.ts'
import { closeAtSource, encode, errorText, ofRounds, postFromSource } from './network.ts'
import type { Rules } from './rules.ts'
import type { SourceSide, System, Terms } from './system.ts'
import { insist } from './violation.ts'

export interface Plan {
  readonly terms: Terms
  readonly rules: Rules
}

export function changeSource(system: System, changes: Partial<SourceSide>): void {
  system.source = { ...system.source, ...changes }
}

/** Feeds the machine, and does what it asks for: at once, where it takes no disk and no network. */
export function tellSource(system: System, first: SourceEvent, plan: Plan): void {
  const events: SourceEvent[] = [first]
  for (let event = events.shift(); event !== undefined; event = events.shift()) {
    const before = system.source.machine
    try {
      const { state, effects } = plan.rules.stepSource(before, event, plan.terms.source)
      changeSource(system, { machine: state })
      for (const effect of effects) events.push(...perform(system, effect, before, plan))
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown
      events.unshift({ type: 'fail', error: thrown })
    }
  }
}

function perform(
  system: System,
  effect: SourceEffect,
  before: SourceState,
  { terms }: Plan,
): SourceEvent[] {
  switch (effect.do) {
    case 'send':
      send(system, effect, before)
      return []
    case 'apply':
      return apply(effect.message)
    case 'open-channels':
      return [{ type: 'opened' }]
    case 'send-round':
      postFromSource(system, encode('RoundBegin', `${effect.round} ${effect.kind}`))
      return [{ type: 'sent' }]
    case 'decide':
      return [{ type: 'decided', next: 'switch-over' }]
    case 'pause':
      changeSource(system, { runs: false })
      return [{ type: 'paused' }]
    case 'discard':
      postFromSource(system, 'Discard')
      return [{ type: 'discarded' }]
    case 'capture':
      return [{ type: 'captured' }]
    case 'release':
      write(system, 'released', 'machine')
      return []
    case 'keep':
      write(system, 'owner', 'keeping')
      return []
    case 'digest':
      return [{ type: 'digested' }]
    case 'prove':
      return [{ type: 'proved' }]
    case 'resume':
      resume(system, before, terms)
      return []
    case 'take-over':
      insist(system.destination.guest === 'none', 'took over from a destination that is alive')
      changeSource(system, { runs: true })
      system.takenOver = true
      return []
    case 'refuse': {
      const text = errorText(effect.error)
      if (text !== undefined) postFromSource(system, text)
      return []
    }
    case 'reconnect':
      changeSource(system, { isDialling: true })
      return []
    case 'suspend':
    case 'close':
      changeSource(system, { isDialling: false })
      closeAtSource(system)
      return []
  }
}

function apply({ name, body }: Message): SourceEvent[] {
  return name === 'Error' ? [{ type: 'fail', error: toldBy(body.code) }] : []
}

function write(system: System, state: string, by: 'machine' | 'keeping'): void {
  const { disk } = system.source
  changeSource(system, { disk: { ...disk, pending: [...disk.pending, { state, by }] } })
}

function send(
  system: System,
  { message: name }: SourceEffect & { do: 'send' },
  before: SourceState,
): void {
  const { machine, disk } = system.source
  if (name === 'Commit') {
    system.insist(disk.record === 'released', 'COMMIT before `released` is durable')
  }
  if (!ofRounds.has(name)) return postFromSource(system, name)
  const round = 'round' in machine ? machine.round : 'round' in before ? before.round : 0
  const isPostCopy = name === 'SwitchOver' && 'postCopy' in machine && machine.postCopy
  postFromSource(system, encode(name, isPostCopy ? `${round} post-copy` : round))
}

const givenAway: ReadonlySet<SourceState['name']> = new Set([
  'released',
  'paused',
  'reconnecting',
  'asking',
  'resuming',
  'reopening',
  'bereaved',
])

function resume(system: System, before: SourceState, { source }: Terms): void {
  const { destination } = system
  insist(destination.guest !== 'running', 'both sides run the guest')
  insist(!system.ranThere, 'the source resumes a guest that has run at the destination')
  if (givenAway.has(before.name)) {
    const isWritten = destination.disk.record === 'refused'
    system.insist(isWritten, 'the source resumes after `released`, and `refused` is not durable')
    system.insist(source.asks, 'the source resumes after `released`, and cannot have asked')
  }
  changeSource(system, { runs: true })
  system.wentOn = true
}
