/**
 * What clients may ask of an agent over its control socket. A line of options comes as it was
 * typed, and is read by the code that has read it at the client.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Define, ReadLine } from '../command-line.ts'
import { readLine } from '../command-line.ts'
import type { ControlCommands, ControlOptions } from '../control-socket.ts'
import type { MigrateSettings, RunSettings } from '../guest-options.ts'
import { addMigrateOptions, addRunOptions } from '../guest-options.ts'
import { goingOn, recover, setOptions } from '../migration-control.ts'
import type { Agent } from './agent.ts'
import type { GuestEntry } from './guest-table.ts'
import { lineOf } from './guest-table.ts'

export function agentCommands(agent: Agent): ControlCommands {
  const { table } = agent.context
  const find = ({ guest }: ControlOptions): GuestEntry => table.find(guest)
  const migrationOf = (entry: GuestEntry): ReturnType<typeof goingOn> => {
    return goingOn(agent.departures.of(entry)?.migration)
  }
  return {
    async run({ line, directory }) {
      const { operands, settings } = read<RunSettings>(addRunOptions, line)
      return lineOf(await agent.start(operands[0]!, settings, directory ?? '/'))
    },
    async migrate({ line, directory }) {
      const { operands, settings } = read<MigrateSettings>(addMigrateOptions, line)
      const { id, entry } = await agent.migrate(operands[0]!, settings, directory ?? '/')
      return { migration: id, guest: entry.name }
    },
    outcome({ migration }) {
      const departure = agent.departures.find(migration)
      const { isOver, report, entry } = departure
      if (isOver) return { report }
      return { guest: lineOf(entry), progress: departure.migration?.progress }
    },
    ls: () => ({ guests: table.entries.map(lineOf) }),
    status(options) {
      return options['guest'] === undefined ? overview(agent) : oneOf(agent, find(options))
    },
    set({ guest, ...options }) {
      return setOptions(migrationOf(table.find(guest)), options)
    },
    switch(options) {
      migrationOf(find(options)).switchToPostCopy()
      return { switching: true }
    },
    cancel(options) {
      agent.cancel(find(options))
      return { cancelled: true }
    },
    recover(options) {
      const entry = find(options)
      const migration = agent.departures.of(entry)?.migration
      const isOurs = migration !== undefined || options['fenced'] === 'true'
      return isOurs ? recover(migration, options) : agent.settle(entry)
    },
    async stop(options) {
      const entry = find(options)
      const vm = await agent.stop(entry)
      return { stopped: entry.name, ...(vm === undefined ? {} : { vm }) }
    },
  }
}

/** @throws {GodwitError} `USAGE` */
function read<T>(define: Define, line: string | undefined): ReadLine<T> {
  return readLine<T>(define, wordsOf(line))
}

function wordsOf(line: string | undefined): readonly string[] {
  const words: unknown = JSON.parse(line ?? 'null')
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words
  throw new GodwitError('USAGE', '"line" is to be a JSON array of texts')
}

function overview({ context, departures, address, freeBytes }: Agent): object {
  const { table, isEnding } = context
  return {
    role: 'agent',
    listening: address ?? 'not yet',
    state: isEnding() ? 'ending' : 'serving',
    guests: table.live.length,
    leaving: departures.going.length,
    arriving: table.entries.filter(({ state }) => state === 'arriving').length,
    freeBytes,
  }
}

function oneOf({ departures, arrivals }: Agent, entry: GuestEntry): object {
  const migration = departures.of(entry)?.migration
  const incoming = arrivals.of(entry)
  const { state, progress } = migration ?? incoming ?? {}
  const { staticPages } = entry.here ?? {}
  return {
    ...lineOf(entry),
    ...(state === undefined ? {} : { phase: state }),
    ...(migration?.isSuspended === true ? { destination: 'lost; tried again and again' } : {}),
    ...progress,
    ...(staticPages === undefined ? {} : { staticPages }),
  }
}
