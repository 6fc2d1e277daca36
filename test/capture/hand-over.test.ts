/**
 * What `verify` finds where a source asks whose the guest is: in a recorded conversation whose
 * frames were changed, and on a connection of a session that nothing else is known of. That it
 * finds nothing where all is right is in `test/end-to-end/ownership.test.ts`.
 */
import type { Side } from '@godwit/capture'
import type { FrameName } from '@godwit/wire'
import { ChannelRole, FrameType, FrameWriter, encodePreface } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { encodeMap } from '../../packages/wire/src/message-pack.ts'
import { MemoryCapture } from '../streams/memory-capture.ts'
import type { Edit } from './edit.ts'
import { before, change, drop, edited, recorded, verify } from './edit.ts'

/** The first one that has something to say. */
function all(...edits: readonly Edit[]): Edit {
  return (spoken) => {
    for (const edit of edits) {
      const instead = edit(spoken)
      if (instead !== undefined) return instead
    }
    return undefined
  }
}

function instead(which: FrameName, nth: number, ...said: readonly [FrameName, object][]): Edit {
  return ({ name, nth: count }) => (name === which && count === nth ? said : undefined)
}

const answer = (owner: string): Edit => change('Owner', 0, { owner })
/** Nothing follows the answer. */
const rest = all(
  drop('Commit', 1),
  ...(['Running', 'Verify', 'Verified', 'End', 'EndAck'] as const).map((name) => drop(name)),
)
const owned = (owner: string) => ({ epoch: 1, owner })
const running = { epoch: 1, resumeMs: 1 }
const cancelled = { code: 2, text: '' }

describe('a hand-over that is right', () => {
  const right: readonly (readonly [string, Edit, source: string, destination: string])[] = [
    ['as it was', () => undefined, 'completed', 'completed'],
    ['of which COMMIT was not seen', drop('Commit', 0), 'completed', 'completed'],
    ['of which nothing came', all(answer('running'), rest), 'completed', 'completed'],
    ['that is over', all(answer('ended'), rest), 'completed', 'completed'],
    ['that is over, with the host', all(answer('lost'), rest), 'bereaved', 'completed'],
    ['that was refused', all(answer('refused'), rest), 'failed', 'discarded'],
    [
      'that nobody knows of',
      all(instead('Owner', 0, ['Error', cancelled]), rest),
      'paused',
      'owning',
    ],
  ]
  it.each(right)('%s', (_what, edit, source, destination) => {
    const { failure, sessions } = verify(edited(recorded('hand-over'), edit))
    expect(failure).toBeUndefined()
    expect(sessions).toMatchObject([{ source, destination, connections: 2 }])
  })
})

describe('a hand-over with', () => {
  const wrong: readonly (readonly [string, Edit, frame: string])[] = [
    ['COMMIT before the answer', drop('Owner'), 'Commit 1'],
    ['COMMIT in the place of a question', all(drop('OwnerQuery'), drop('Owner')), 'Commit 0'],
    ['COMMIT to a guest that runs there', answer('running'), 'Commit 1'],
    ['COMMIT to a guest that was refused', answer('refused'), 'Commit 1'],
    ['RUNNING of a guest that was refused', all(answer('refused'), drop('Commit', 1)), 'Running 1'],
    ['RUNNING without COMMIT', drop('Commit', 1), 'Running 1'],
    ['an answer without a question', drop('OwnerQuery'), 'Owner 0'],
    ['an answer on the first connection', before('Ready', 0, 'Owner', owned('refused')), 'Owner 4'],
    [
      'another answer',
      instead('Owner', 0, ['Owner', owned('prepared')], ['Owner', owned('refused')]),
      'Owner 1',
    ],
    ['a guest that runs without COMMIT', all(answer('running'), drop('Commit', 0)), 'Owner 0'],
    ['a guest that died without COMMIT', all(answer('lost'), drop('Commit', 0)), 'Owner 0'],
    ['another owner', change('Owner', 0, { epoch: 2 }), 'Owner 0'],
    ['a question of another owner', change('OwnerQuery', 0, { epoch: 2 }), 'OwnerQuery 0'],
    [
      'a question on the first connection',
      before('Commit', 0, 'OwnerQuery', { epoch: 1 }),
      'OwnerQuery 6',
    ],
    ['a question before READY', all(drop('Ready'), drop('Commit', 0)), 'OwnerQuery 0'],
    ['a question that was not agreed', change('Welcome', 0, { capabilities: [] }), 'OwnerQuery 0'],
    [
      'a question of a guest that was kept',
      instead('Commit', 0, ['Error', cancelled]),
      'OwnerQuery 0',
    ],
    [
      'RESUME in the place of a question',
      instead('OwnerQuery', 0, ['Resume', { epoch: 1, round: 1 }]),
      'Resume 0',
    ],
    ['something else for an answer', instead('Owner', 0, ['Running', running]), 'Running 0'],
  ]
  it.each(wrong)('%s', (_what, edit, frame) => {
    const { failure } = verify(edited(recorded('hand-over'), edit))
    expect(failure).toMatchObject({ code: 'PROTOCOL_STATE' })
    expect(`${failure!.frame} ${failure!.sequence}`).toBe(frame)
  })
})

type Line = readonly [Side, FrameName, object]

/** A destination that was started anew is asked; of the session there is nothing else. */
function asked(lines: readonly Line[]): Uint8Array {
  const made = new MemoryCapture('destination')
  const line = made.recorder.opened('somewhere')
  const session = new Uint8Array(16).fill(7)
  const preface = { role: ChannelRole.Control, index: 0, epoch: 3, session }
  const writers = { source: new FrameWriter(), destination: new FrameWriter() }
  for (const side of ['source', 'destination'] as const) {
    made.recorder.bytes(line, side, encodePreface(preface))
  }
  for (const [side, name, body] of lines) {
    made.recorder.bytes(line, side, writers[side].frame(FrameType[name], encodeMap(body)))
  }
  return made.end()
}

describe('a session that is not in the capture', () => {
  const question: Line = ['source', 'OwnerQuery', { epoch: 1 }]
  const told = (owner: string): Line => ['destination', 'Owner', owned(owner)]
  const commit: Line = ['source', 'Commit', { epoch: 1 }]
  const runs: Line = ['destination', 'Running', running]
  const refusal: Line = ['destination', 'Error', cancelled]
  const resume: Line = ['source', 'Resume', { epoch: 3, round: 1 }]
  const heartbeat: Line = ['source', 'Heartbeat', {}]

  it.each([
    [[question, heartbeat, told('lost')]],
    [[question, told('prepared'), commit, runs]],
    [[question, refusal]],
    [[resume, refusal]],
  ])('may be asked for: %#', (lines) => {
    expect(verify(asked(lines)).failure).toBeUndefined()
  })

  it.each([
    ['an answer without a question', [told('lost')], 'SESSION_UNKNOWN', 'Owner'],
    ['two answers', [question, told('lost'), told('lost')], 'SESSION_UNKNOWN', 'Owner'],
    ['another owner', [['source', 'OwnerQuery', { epoch: 2 }]], 'PROTOCOL_STATE', 'OwnerQuery'],
    ['COMMIT before the answer', [question, commit], 'PROTOCOL_STATE', 'Commit'],
    ['RUNNING without COMMIT', [question, told('prepared'), runs], 'SESSION_UNKNOWN', 'Running'],
    ['RUNNING of a refused guest', [question, told('refused'), runs], 'SESSION_UNKNOWN', 'Running'],
    ['an answer to RESUME', [resume, told('running')], 'SESSION_UNKNOWN', 'Owner'],
  ] as readonly [string, readonly Line[], string, string][])(
    'is not to be told of with %s',
    (_what, lines, code, frame) => {
      expect(verify(asked(lines)).failure).toMatchObject({ code, frame })
    },
  )
})
