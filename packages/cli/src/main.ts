#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

// Halves the time to the first line; must come before anything else is loaded.
enableCompileCache()
const { runProgram } = await import('./program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
