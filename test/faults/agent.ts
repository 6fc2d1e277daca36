/**
 * An agent that serves many cells: `godwit` in a process of its own, one command line after the
 * other as they come from its parent, with a witness of its guests. It ends with its parent.
 *
 * @module
 */
import { enableCompileCache } from 'node:module'

enableCompileCache()
const { runProgram } = await import('../../packages/cli/src/program.ts')
const { bearWitness } = await import('./witness.ts')
const { measure } = await import('./footprint.ts')
bearWitness(process.argv[2]!)
process.on('disconnect', () => process.exit())
process.on('message', (args: string[]) => {
  if (args[0] === 'measure') void measure().then((footprint) => process.send!(footprint))
  else void runProgram(args).then((code) => process.send!(code))
})
process.send!('ready')
