/**
 * What a source says and hears that comes back after its connection was lost.
 *
 * @module
 */
import type { ErrorCode, PageRun } from '@godwit/core'
import type { OwnerAnswer, Resumed } from '@godwit/wire'
import { ChannelRole, decodePageRuns, errorCodeOf, lackingChecksum } from '@godwit/wire'
import type { Exchange } from './exchange.ts'
import { describe } from './exchange.ts'
import { check, checkEqual, Failure } from './failure.ts'
import type { RawChannel } from './raw-channel.ts'

/** The side that comes back. */
interface Returning {
  readonly exchange: Exchange
  control: RawChannel
  epoch: number
  dial(role: 1): RawChannel
}

/** What is lacking, by region, and RESUMED. */
export interface Lacking {
  readonly lacking: ReadonlyMap<number, readonly PageRun[]>
  readonly resumed: Resumed
}

/** What follows RESUME of that round. */
export async function readLacking(source: Returning, round: number): Promise<Lacking> {
  const { exchange, control, epoch } = source
  const lacking = new Map<number, readonly PageRun[]>()
  let checksum = 0
  for (;;) {
    const heard = await exchange.next(control, 'C6.59', 'LACKING or RESUMED')
    if (heard.kind !== 'message') throw new Failure('C6.59', 'LACKING or RESUMED', heard.kind)
    const { name, body } = heard.message
    if (name === 'Lacking') {
      const { region, runs } = body
      lacking.set(region, [...(lacking.get(region) ?? []), ...decodePageRuns(runs)])
      checksum = lackingChecksum(body, checksum)
    } else if (name === 'Resumed') {
      checkEqual('C4.34', body.checksum, checksum)
      checkEqual('C4.18', body.epoch, epoch)
      check('C6.64', body.round > round, `a round above ${round}`, body.round)
      return { lacking, resumed: body }
    } else throw new Failure('C6.59', 'LACKING or RESUMED', name)
  }
}

const attemptsMax = 20
const pauseMs = 100

/**
 * Dials with the next epoch and asks whose the guest is; again for as long as the destination says
 * that it is too early to tell.
 *
 * @returns the owner, or the code of ERROR
 */
export async function askOwner(source: Returning): Promise<OwnerAnswer | ErrorCode> {
  const { exchange } = source
  for (let attempt = 1; ; attempt++) {
    source.epoch++
    const control = source.dial(ChannelRole.Control)
    source.control = control
    control.send('OwnerQuery', { epoch: 1 })
    await exchange.introduced(control, 'C7.14')
    const heard = await exchange.next(control, 'C7.14', 'OWNER')
    if (heard.kind !== 'message') throw new Failure('C7.14', 'OWNER', describe(heard))
    const { name, body } = heard.message
    if (name === 'Owner') {
      checkEqual('C4.17', body.epoch, 1)
      return body.owner
    }
    if (name !== 'Error') throw new Failure('C7.14', 'OWNER', describe(heard))
    await exchange.closed(control, 'C8.1')
    const code = errorCodeOf(body.code)
    if (code !== 'PROTOCOL_STATE' || attempt === attemptsMax) return code
    await exchange.change(pauseMs)
  }
}
