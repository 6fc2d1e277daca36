/**
 * Both machines with a network between them that is cut and mended anywhere, agents that give up,
 * and a destination that dies: one byte for each thing that happens. At most one side runs the
 * guest, and everything ends.
 *
 * @module
 */
import type { Setting } from '../../../packages/session/test/setting.ts'
import { isPostCopy } from '../../../packages/session/test/setting.ts'
import { World } from '../../../packages/session/test/world.ts'
import type { Random } from '../mutator.ts'
import { randomBytes } from '../mutator.ts'
import type { Target } from '../target.ts'
import { must } from '../target.ts'
import { failureOf, settingOf } from './machines.ts'

const eventsMax = 300
/** Enough for any pair to come to rest. */
const turnsMax = 2000
/** A destination that is dead, or that an operator may fence, is waited for without end. */
const turnsAlone = 50

/** From this byte on something goes wrong. */
const blowsFrom = 216

function strike(world: World, byte: number): void {
  switch (byte % 10) {
    case 0:
    case 1:
    case 2:
      return world.cut(byte & 3, (byte >>> 2) & 3)
    case 3:
    case 4:
      return world.mend()
    case 5:
      return byte < 240 ? world.reconnectEarly() : world.spoil(byte < 250 ? 'source' : 'target')
    case 6:
      return byte < 240 ? world.giveUpAtSource() : world.giveUpAtTarget()
    case 7:
      return world.failSource(failureOf(byte >>> 2))
    case 8:
      return world.failTarget(failureOf(byte >>> 2))
    default:
      return byte < 240 ? world.takeOver() : world.killTarget()
  }
}

function run(input: Uint8Array): string {
  const setting: Setting = settingOf(input[0] ?? 0)
  const world = new World(setting)
  const check = (): void => {
    must(world.owners <= 1, 'one at the most runs the guest')
    must(!world.hasGuessed, 'what was given away stays so')
  }
  for (const byte of input.subarray(1)) {
    if (byte >= blowsFrom) strike(world, byte)
    else world.turn(byte)
    check()
  }
  world.mend()
  const waits = world.targetIsDead || setting.keepsCheckpoints
  const most = waits ? turnsAlone : turnsMax
  let turns = 0
  while (turns <= most && world.turn(turns++)) check()
  must(turns <= most || waits, 'it comes to rest')
  const [atSource, there] = world.names
  must(!(world.filled && !isPostCopy(setting)), 'pages follow in post-copy only')
  if (atSource === 'completed' && there === 'completed') must(world.memoryKept, 'it has its memory')
  return `${setting.mode} ${atSource}/${there}${world.targetIsDead ? ' dead' : ''}`
}

function generate(random: Random): Uint8Array {
  const bytes = randomBytes(1 + random(eventsMax), random)
  // Most of the time nothing goes wrong: blows at every turn lead nowhere.
  const share = 2 + random(60)
  for (let i = 1; i < bytes.length; i++) if (random(share) > 0) bytes[i]! %= blowsFrom
  return bytes
}

export const machinePair: Target = {
  name: 'machine-pair',
  seeds: [],
  reaches: ['pre-copy completed/completed', 'post-copy completed/completed', 'hybrid'],
  inputBytesMax: 1 + eventsMax,
  allocatedBytesMax: () => 32 << 20,
  cpuMsMax: 500,
  fieldsOf: () => [{ at: 0, byteCount: 1 }],
  generate,
  run,
}
