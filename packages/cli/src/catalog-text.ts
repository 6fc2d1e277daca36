/**
 * What a catalog has, as tables for people.
 *
 * @module
 */
import type {
  LearningRecord,
  Lease,
  LinkRecord,
  MachineRecord,
  MapRecord,
  Release,
  VmRecord,
} from '@godwit/catalog'
import { formatRelease, isLive } from '@godwit/catalog'
import { formatBytes, formatDurationMs, formatRate } from '@godwit/core'
import { formatTable } from './plain-table.ts'

/** All of it, or what was asked for; also the shape of `--json`. */
export interface CatalogContents {
  vms?: readonly VmRecord[]
  machines?: readonly MachineRecord[]
  links?: readonly LinkRecord[]
  maps?: readonly MapRecord[]
  /** What was learnt of each pair, also where it is not enough for a map. */
  learning?: readonly LearningRecord[]
}

/** Tables with their titles, an empty line between; empty ones are left out. */
export function formatContents(contents: CatalogContents, nowMs: number): string {
  const { vms = [], machines = [], links = [], maps = [], learning = [] } = contents
  const tables = [
    vms.length === 0 ? '' : formatVms(vms, nowMs),
    machines.length === 0 ? '' : formatMachines(machines, nowMs),
    links.length === 0 ? '' : formatLinks(links),
    maps.length + learning.length === 0 ? '' : formatMaps(maps, learning),
  ]
  return tables.filter((text) => text !== '').join('\n\n')
}

function formatVms(vms: readonly VmRecord[], nowMs: number): string {
  const rows = vms.map((one) => [
    one.name,
    releaseText(one.os),
    releaseText(one.hypervisor),
    one.machine,
    one.state,
    formatBytes(one.memoryBytes),
    heardText(one, nowMs),
  ])
  const head = ['guest', 'os', 'hypervisor', 'machine', 'state', 'memory', 'heard of']
  return formatTable(head, rows, ['memory'])
}

function formatMachines(machines: readonly MachineRecord[], nowMs: number): string {
  const rows = machines.map((one) => [
    one.name,
    formatBytes(one.memoryBytes),
    formatBytes(one.freeBytes),
    one.load.toFixed(2),
    one.address ?? '',
    heardText(one, nowMs),
  ])
  const head = ['machine', 'memory', 'free', 'load', 'address', 'heard of']
  return formatTable(head, rows, ['memory', 'free', 'load'])
}

function formatLinks(links: readonly LinkRecord[]): string {
  const rows = links.map(({ source, destination, cost, bandwidthBytesPerSecond }) => [
    source,
    destination,
    String(cost),
    formatRate(bandwidthBytesPerSecond),
  ])
  return formatTable(['link from', 'to', 'cost', 'bandwidth'], rows, ['cost', 'bandwidth'])
}

function formatMaps(maps: readonly MapRecord[], learning: readonly LearningRecord[]): string {
  const keyOf = ({ os, hypervisor, pageBytes }: MapRecord | LearningRecord): string =>
    [releaseText(os), releaseText(hypervisor), formatBytes(pageBytes)].join(' ')
  const known = new Set(maps.map((one) => keyOf(one)))
  const begun = learning.filter((one) => !known.has(keyOf(one)))
  const rows = maps.map((one) => [
    releaseText(one.os),
    releaseText(one.hypervisor),
    formatBytes(one.pageBytes),
    String(one.version),
    formatBytes(one.bytesLength),
    one.digest.slice(0, 16),
  ])
  for (const { os, hypervisor, pageBytes } of begun) {
    const kind = [releaseText(os), releaseText(hypervisor), formatBytes(pageBytes)]
    rows.push([...kind, 'none yet', '', ''])
  }
  const head = ['static map of', 'on', 'pages of', 'version', 'size', 'digest']
  return formatTable(head, rows, ['pages of', 'version', 'size'])
}

function releaseText(release: Release | null): string {
  return release === null ? 'unknown' : formatRelease(release)
}

/** When its agent was heard of last. */
export function heardText(entry: Lease, nowMs: number): string {
  if (entry.heartbeatMs === null) return 'made by hand'
  const ago = `${formatDurationMs(Math.max(0, nowMs - entry.heartbeatMs))} ago`
  return isLive(entry, nowMs) ? ago : `${ago}, expired`
}

/** All fields of one entry. */
export function formatEntry(entry: VmRecord | MachineRecord, nowMs: number): string {
  const { updatedMs, heartbeatMs: _, leaseMs, ...fields } = entry
  const named = Object.entries(fields) as [string, FieldValue][]
  const rows = named.map(([key, value]) => [wordsOf(key), fieldText(key, value)])
  const changed = `${formatDurationMs(Math.max(0, nowMs - updatedMs))} ago`
  rows.push(['changed', changed], ['heard of', heardText(entry, nowMs)])
  if (leaseMs !== null) rows.push(['holds without', `${formatDurationMs(leaseMs)} of silence`])
  return formatTable(['', ''], rows).trimStart()
}

function wordsOf(key: string): string {
  const words = key.replace(/Bytes$/, '').replaceAll(/[A-Z]/g, (one) => ` ${one.toLowerCase()}`)
  return words === 'page' ? 'page size' : words
}

type FieldValue = string | number | Release | null

function fieldText(key: string, value: FieldValue): string {
  if (value === null) return key === 'os' || key === 'hypervisor' ? 'unknown' : 'none'
  if (typeof value === 'object') return formatRelease(value)
  if (typeof value === 'string') return value
  return key.endsWith('Bytes') ? formatBytes(value) : String(value)
}
