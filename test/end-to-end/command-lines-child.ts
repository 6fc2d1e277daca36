/**
 * The process behind `command-lines.ts`: what comes is run, and answered with how it ended.
 *
 * @module
 */
import { runProgram } from '../../packages/cli/src/program.ts'

let stdout = ''
let stderr = ''
process.stdout.write = (text: string | Uint8Array): boolean => {
  stdout += text.toString()
  return true
}
process.stderr.write = (text: string | Uint8Array): boolean => {
  stderr += text.toString()
  return true
}

process.on('message', (args: string[]) => {
  stdout = ''
  stderr = ''
  void runProgram(args).then((code) => process.send!({ code, stdout, stderr }))
})
