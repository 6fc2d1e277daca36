/**
 * What a source offers, and what it makes of the answer.
 *
 * @module
 */
import type { Guest } from '@godwit/core'
import { GodwitError, hasRounds, mayPostCopy } from '@godwit/core'
import { HEARTBEAT_MS_DEFAULT } from '@godwit/link'
import { capabilitiesOf, restrictTo } from '@godwit/policy'
import type { SourceState, SourceTerms } from '@godwit/session'
import { SESSION_VERSIONS } from '@godwit/session'
import type { Hello, Reserve, Resume, SwitchOver, Welcome } from '@godwit/wire'
import type { SourceOptions } from './options.ts'
import type { AgreedTerms } from './rounds.ts'

/** The offer. Seeds have 8 bytes each. */
export function helloOf(
  options: SourceOptions,
  fingerprintSeed: Uint8Array,
  verifySeed: Uint8Array,
): Hello {
  const { encode, prove } = options
  const encoding = capabilitiesOf(encode)
  const { checkpointMs } = options
  const reverse = checkpointMs === undefined ? [] : ['reverse']
  const postCopy = mayPostCopy(options.mode) ? ['post-copy', ...reverse] : []
  if (checkpointMs !== undefined) checkReverse(options)
  const wantsStatic = hasRounds(options.mode) && (options.static ?? []).length > 0
  const always = [
    'ownership',
    ...(prove === undefined ? [] : ['final']),
    ...(wantsStatic ? ['static'] : []),
  ]
  return {
    versionMin: SESSION_VERSIONS.minimum,
    versionMax: SESSION_VERSIONS.maximum,
    software: options.software,
    // Whoever asked for a technique by its name wants it, or to know that it is not to be had.
    required: encode.auto ? postCopy : [...postCopy, ...encoding],
    optional: encode.auto ? [...always, ...encoding] : always,
    pageBytes: [options.pageBytes],
    mode: options.mode,
    hash: options.hash,
    verify: options.verify,
    fingerprintSeed,
    verifySeed,
    dataChannels: options.lanes ?? 1,
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT,
    ...(checkpointMs === undefined ? {} : { checkpointMs }),
  }
}

/** What the machine is to know of it, before and after the answer. */
export function termsOf(
  { mode, verify, recoverMs = Infinity, checkpointMs }: SourceOptions,
  welcome?: Welcome,
): SourceTerms {
  return {
    mode,
    verify: verify !== 'none',
    final: welcome?.finalAfterMs !== undefined,
    recovers: recoverMs > 0,
    asks: welcome?.capabilities.includes('ownership') ?? false,
    keepsCheckpoints: checkpointMs !== undefined,
  }
}

/** @throws {GodwitError} `USAGE` */
function checkReverse({ mode, guest, recoverMs }: SourceOptions): void {
  if (!mayPostCopy(mode)) {
    throw new GodwitError('USAGE', `A migration in mode ${mode} has no use for checkpoints`)
  }
  if (guest.restoreState === undefined) {
    throw new GodwitError('USAGE', 'This guest cannot go back to a checkpoint')
  }
  if (recoverMs === 0) {
    throw new GodwitError('USAGE', 'A guest is taken over while its destination is waited for')
  }
}

/** What lanes are to know of the answer. @param findsStatic - something was offered */
export function agreedTerms(
  options: SourceOptions,
  welcome: Welcome,
  findsStatic: boolean,
): AgreedTerms {
  return {
    lanes: welcome.dataChannels,
    creditBytes: welcome.creditBytes ?? Infinity,
    settings: restrictTo(options.encode, welcome.capabilities),
    storeBytes: welcome.storeBytes ?? 0,
    findsStatic,
  }
}

/** What room to make. @param name - what the guest is called here, where it is called anything */
export function reserveOf({ identity, regions }: Guest, name?: string): Reserve {
  const shapes = regions.map(({ id, name: region, bytes }) => {
    return { id, name: region, byteLength: bytes.length }
  })
  return { guest: name === undefined ? identity : { ...identity, name }, regions: shapes }
}

/** After which round post-copy is to go on. */
export function resumeOf(state: SourceState): Resume {
  if (state.name !== 'resuming') throw new Error(`resume in ${state.name}`)
  const { epoch, round } = state
  return { epoch, round }
}

/** To what the source switches over. */
export function switchOverOf(state: SourceState): SwitchOver {
  if (state.name !== 'switching-over') throw new Error(`switch-over in ${state.name}`)
  const { round, postCopy } = state
  return postCopy ? { round, postCopy } : { round }
}
