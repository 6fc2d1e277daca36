/**
 * The streams that were recorded for each release, against this one; and those of this one, as it
 * is. See `README.md`.
 */
import { readFileSync, readdirSync } from 'node:fs'
import type { Verification } from '@godwit/capture'
import { verifyCapture } from '@godwit/capture'
import { MIB } from '@godwit/core'
import { createMemoryNetwork } from '@godwit/transport'
import { SOFTWARE, nodePrimitives } from 'godwit'
import { describe, expect, it } from 'vitest'
import type { SourceSettings } from '../end-to-end/rig.ts'
import { createRig, createSource } from '../end-to-end/rig.ts'
import { inputOf } from './memory-capture.ts'
import { PlayedDestination, playSource, randomnessOf } from './replay.ts'
import type { Cast } from './scenarios.ts'
import { capture, lackingFrames, scenarios } from './scenarios.ts'

const folder = new URL('./', import.meta.url)
const primitives = await nodePrimitives()
const releases = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
const streams = releases.flatMap((release) => {
  return readdirSync(new URL(`${release}/`, folder)).map((file) => {
    const name = file.replace(/\.gwc$/, '')
    const bytes = () => Uint8Array.from(readFileSync(new URL(`${release}/${file}`, folder)))
    return { title: `${release}/${name}`, name, bytes, scenario: scenarios[name]! }
  })
})

function verify(bytes: Uint8Array): Verification {
  return verifyCapture(inputOf(bytes), { primitives, memoryBytesMax: 1024 * MIB })
}

function expectWhole(bytes: Uint8Array): Verification {
  const verification = verify(bytes)
  expect(verification.failure).toBeUndefined()
  expect(verification.end).toBe('ended')
  return verification
}

it('this release has its streams', () => {
  const version = SOFTWARE.replace(/^.*\//, '')
  const names = streams.filter(({ title }) => title.startsWith(`${version}/`))
  expect(names.map(({ name }) => name).sort()).toEqual(Object.keys(scenarios).sort())
})

describe('a recorded stream', () => {
  it.each(streams.map((one) => [one.title, one] as const))('is as it should be: %s', (_, one) => {
    expectWhole(one.bytes())
    expect(lackingFrames(one.scenario, one.bytes())).toEqual([])
  })

  const bySource = streams.filter(({ scenario }) => scenario.playsSource)
  it.each(bySource.map((one) => [one.title, one] as const))(
    'is answered by this destination as by the one of then: %s',
    async (_, { bytes, scenario }) => {
      const cast = await scenario.start()
      const rig = await createRig(cast.host, { recoverMs: Infinity })
      const differences = await playSource(bytes(), () => rig.dial())
      expect(differences).toEqual([])
      await rig.idle()
      for (const session of rig.sessions) await session.release()
      await cast.end()
    },
  )

  const byDestination = streams.filter(({ scenario }) => scenario.playsDestination)
  it.each(byDestination.map((one) => [one.title, one] as const))(
    'is what this source says to the destination of then: %s',
    async (_, { bytes, scenario }) => {
      const differences = await playDestination(bytes(), await scenario.start())
      expect(differences).toEqual([])
    },
  )
})

/** Today's source, with the guest and the random numbers of then, and the destination of then. */
async function playDestination(bytes: Uint8Array, cast: Cast): Promise<readonly string[]> {
  const played = new PlayedDestination(bytes)
  const network = createMemoryNetwork()
  await network.listen('then', (channel) => played.accept(channel))
  const dialler = network.createDialler('then')
  let acknowledged = 0
  const settings: SourceSettings = {
    ...cast.settings,
    randomBytes: randomnessOf(bytes),
    onControl: ({ direction, name }) => {
      if (direction === 'read' && name === 'RoundAck') cast.events?.[acknowledged++]?.()
      return undefined
    },
  }
  const migration = await createSource(cast.guest, (signal) => dialler.dial(signal), settings)
  const [report] = await Promise.all([migration.run(), played.play()])
  expect(report.outcome).toBe(report.error === undefined ? 'completed' : 'failed')
  return played.differences
}

describe('a stream of now, seen at both sides', () => {
  it.each(Object.entries(scenarios))('is as it should be: %s', async (_, scenario) => {
    const { source, destination } = await capture(scenario)
    const [one, other] = [expectWhole(source), expectWhole(destination)]
    expect([one.side, other.side]).toEqual(['source', 'destination'])
    expect(one.sessions.map(({ session }) => session)).toEqual(
      other.sessions.map(({ session }) => session),
    )
    expect(one.counts.pages).toBe(other.counts.pages)
  })
})

it('a stream that is answered otherwise would be noticed', async () => {
  const { bytes, scenario } = streams.find(({ name }) => name === 'stop-copy')!
  const cast = await scenario.start()
  const rig = await createRig(cast.host, { pageBytes: [8192] })
  const differences = await playSource(bytes(), () => rig.dial())
  expect(differences).toEqual([expect.stringMatching(/^Error .* where it was Welcome /)])
  const again = await scenario.start()
  const settings = { ...again, settings: { ...again.settings, mode: 'pre-copy' as const } }
  const others = await playDestination(bytes(), settings)
  expect(others).toEqual([expect.stringMatching(/^Hello mode="pre-copy".* where it was Hello/)])
})
