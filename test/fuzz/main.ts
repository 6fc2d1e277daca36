/**
 * Fuzzing by hand: `pnpm run fuzz [target ...] [--seconds N] [--inputs N] [--seed S]
 * [--replay FILE] [--ignore TEXT] [--labels] [--coverage]`. What is ignored are findings that are
 * known, by a part of their text. `--inputs` ends a target before its time is over.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import { CoverageMeter } from './coverage.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    ignore: { type: 'string', multiple: true, default: [] },
    labels: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
    inputs: { type: 'string' },
  },
})

// Before anything is loaded that is to be measured.
const meter = values.coverage ? await CoverageMeter.start() : undefined
const { runTargets } = await import('./command.ts')
const isFine = await runTargets(positionals, values, meter)
process.exitCode = isFine ? 0 : 1
