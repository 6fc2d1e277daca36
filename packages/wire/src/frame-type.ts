/**
 * Frame types: their numbers, where they may appear and how long they may be.
 *
 * @module
 */
import { BATCH_HEADER_BYTES, ChannelRole, ENTRY_BYTES } from './layout.ts'
import {
  BATCH_ENTRIES_MAX,
  BATCH_PAYLOAD_BYTES_MAX,
  CONTROL_BODY_BYTES_MAX,
  STATE_BODY_BYTES_MAX,
  TABLE_BODY_BYTES_MAX,
} from './limits.ts'

/** Wire facts. Never derived, never reused; reserved numbers belong to later capabilities. */
export const FrameType = {
  Invalid: 0x0000,
  Hello: 0x0001,
  Welcome: 0x0002,
  Error: 0x0003,
  Heartbeat: 0x0004,
  Reserve: 0x0008,
  Reserved: 0x0009,
  StaticHeld: 0x000a,
  RoundBegin: 0x0010,
  Pages: 0x0011,
  Barrier: 0x0012,
  RoundEnd: 0x0013,
  RoundAck: 0x0014,
  Credit: 0x0015,
  Nak: 0x0016,
  Discard: 0x0017,
  Resume: 0x0018,
  Lacking: 0x0019,
  Resumed: 0x001a,
  SwitchOver: 0x0020,
  SwitchOverAck: 0x0021,
  State: 0x0022,
  Ready: 0x0023,
  Commit: 0x0024,
  Running: 0x0025,
  OwnerQuery: 0x0026,
  Owner: 0x0027,
  Verify: 0x0030,
  Verified: 0x0031,
  Final: 0x0032,
  End: 0x0033,
  EndAck: 0x0034,
  PageRequest: 0x0040,
  CheckpointBegin: 0x0041,
  CheckpointEnd: 0x0042,
  CheckpointAck: 0x0043,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]
export type FrameName = Exclude<keyof typeof FrameType, 'Invalid'>

/** Set in types that a receiver may skip when it does not know them. */
export const OPTIONAL_BIT = 0x8000

/** Where a frame type may appear and how long its body may be. */
export interface FrameRule {
  readonly name: FrameName
  readonly channels: readonly ChannelRole[]
  readonly bodyBytesMax: number
}

const control = (name: FrameName, bodyBytesMax: number = CONTROL_BODY_BYTES_MAX): FrameRule => ({
  name,
  channels: [ChannelRole.Control],
  bodyBytesMax,
})

const reverse = (name: FrameName, bodyBytesMax: number = CONTROL_BODY_BYTES_MAX): FrameRule => ({
  name,
  channels: [ChannelRole.Reverse],
  bodyBytesMax,
})

const pageChannels = [ChannelRole.Data, ChannelRole.Urgent]

const rules: ReadonlyMap<number, FrameRule> = new Map(
  (
    [
      control('Hello', TABLE_BODY_BYTES_MAX),
      control('Welcome'),
      {
        name: 'Error',
        channels: [ChannelRole.Control, ...pageChannels, ChannelRole.Reverse],
        bodyBytesMax: CONTROL_BODY_BYTES_MAX,
      },
      control('Heartbeat'),
      control('Reserve', TABLE_BODY_BYTES_MAX),
      control('Reserved'),
      control('StaticHeld', TABLE_BODY_BYTES_MAX),
      control('RoundBegin'),
      {
        name: 'Pages',
        channels: [...pageChannels, ChannelRole.Reverse],
        bodyBytesMax:
          BATCH_HEADER_BYTES + BATCH_ENTRIES_MAX * ENTRY_BYTES + BATCH_PAYLOAD_BYTES_MAX,
      },
      { name: 'Barrier', channels: pageChannels, bodyBytesMax: CONTROL_BODY_BYTES_MAX },
      control('RoundEnd'),
      control('RoundAck'),
      { name: 'Credit', channels: pageChannels, bodyBytesMax: CONTROL_BODY_BYTES_MAX },
      { name: 'Nak', channels: [ChannelRole.Data], bodyBytesMax: TABLE_BODY_BYTES_MAX },
      control('Discard', TABLE_BODY_BYTES_MAX),
      control('Resume'),
      control('Lacking', TABLE_BODY_BYTES_MAX),
      control('Resumed'),
      control('SwitchOver'),
      control('SwitchOverAck'),
      control('State', STATE_BODY_BYTES_MAX),
      control('Ready'),
      control('Commit'),
      control('Running'),
      control('OwnerQuery'),
      control('Owner'),
      control('Verify', TABLE_BODY_BYTES_MAX),
      control('Verified', TABLE_BODY_BYTES_MAX),
      control('Final', STATE_BODY_BYTES_MAX),
      control('End'),
      control('EndAck'),
      {
        name: 'PageRequest',
        channels: [ChannelRole.Urgent],
        bodyBytesMax: CONTROL_BODY_BYTES_MAX,
      },
      reverse('CheckpointBegin'),
      reverse('CheckpointEnd', STATE_BODY_BYTES_MAX),
      reverse('CheckpointAck'),
    ] satisfies FrameRule[]
  ).map((rule) => [FrameType[rule.name], rule]),
)

/** The rule of a type number, or undefined when this version does not know it. */
export function frameRule(type: number): FrameRule | undefined {
  return rules.get(type)
}
