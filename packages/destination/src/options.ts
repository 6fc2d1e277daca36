/**
 * What a destination needs to take guests in. Everything that depends on the runtime is handed in.
 *
 * @module
 */
import type { Clock, GuestHost, StageReport, UsageMeter } from '@godwit/core'
import type { Primitives } from '@godwit/codec'

export interface DestinationOptions {
  readonly host: GuestHost
  readonly clock: Clock
  readonly primitives: Primitives
  readonly software: string
  /** Page sizes this side accepts; empty accepts every legal one. */
  readonly pageBytes?: readonly number[]
  readonly heartbeatMs?: number
  /** Run a guest that arrived this long, stop it and tell the source how it ended. */
  readonly runForMs?: number
  readonly usage?: () => UsageMeter
  readonly onStage?: (stage: StageReport) => void
}
