/**
 * Pages that never travel: migrations to machines that have a sibling of the guest, or its own
 * past, against migrations that compress alone.
 *
 * @module
 */
import { rmSync } from 'node:fs'
import { GodwitError, MIB } from '@godwit/core'
import { makeFolder } from './process.ts'
import type { Benchmark, BenchOptions } from './benchmark.ts'
import { requireNetworkTools } from './peer/tools.ts'
import type { Case } from './result.ts'
import { toResult } from './result.ts'
import type { SiblingImage } from './static/images.ts'
import { readImages } from './static/images.ts'
import { learnPart } from './static/learn-part.ts'
import { nothingPart } from './static/nothing-part.ts'
import type { Part } from './static/part.ts'
import { returnPart } from './static/return-part.ts'
import { siblingParts } from './static/sibling-part.ts'
import { simulatePart } from './static/simulate-part.ts'
import { makeSynthetic } from './static/synthetic.ts'

const parts: readonly Part[] = [...siblingParts(), nothingPart, returnPart, learnPart, simulatePart]
/** Put before the names of rows. */
const syntheticMark = 'SYNTHETIC '

export const staticPages: Benchmark = {
  name: 'static',
  summary: 'static pages of siblings, and the own past of a guest, against compression alone',
  takesImages: true,
  takesOnly: true,
  async run(options) {
    const wanted = chooseParts(options.only)
    if (wanted.some(({ needsLink }) => needsLink)) requireNetworkTools()
    const folder = makeFolder()
    try {
      const images = wanted.some(({ needsImages }) => needsImages) ? imagesFor(options, folder) : []
      const cases: Case[] = []
      for (const part of wanted) {
        const say = (text: string): void => options.say(`static, ${part.name}: ${text}`)
        const rows = await part.measure({ ...options, images, folder, say })
        const isMadeUp = part.needsImages && options.synthetic === true
        cases.push(...rows.map((row) => (isMadeUp ? marked(row) : row)))
      }
      return toResult('static', cases)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

/** The parts that are asked for. @throws {GodwitError} `USAGE` */
export function chooseParts(only: BenchOptions['only']): readonly Part[] {
  return (only ?? parts.map(({ name }) => name)).map((name) => {
    const found = parts.find((part) => part.name === name)
    if (found !== undefined) return found
    const known = parts.map((part) => part.name).join(', ')
    throw new GodwitError('USAGE', `"${name}" is not a part of static; there are ${known}`)
  })
}

function imagesFor(options: BenchOptions, folder: string): readonly SiblingImage[] {
  if (options.synthetic !== true) return readImages(options.images)
  options.say('static: making synthetic images; real ones have other things in common')
  return makeSynthetic(folder, (options.quick ? 32 : 256) * MIB)
}

function marked(row: Case): Case {
  return { ...row, name: `${syntheticMark}${row.name}` }
}
