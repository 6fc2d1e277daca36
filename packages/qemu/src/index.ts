export { type AttachedVm, HeldVm } from './held-vm.ts'
export { compareFacts, type MachineFacts } from './machine-facts.ts'
export { QmpClient, type QmpConnectOptions } from './qmp.ts'
export { QmpRefusal, type QmpEvent, type QmpLine, parseQmpLine } from './qmp-line.ts'
export { QemuFileGuest } from './qemu-guest.ts'
export { IncomingQemu, QemuHost, type QemuHostOptions, type QemuRoom } from './qemu-host.ts'
export {
  formatPlace,
  parseQemu,
  parseQemuHost,
  placeOf,
  QEMU_HELP,
  QEMU_HOST_HELP,
  QEMU_KIND,
  type QemuHelp,
  type QemuHostPlace,
  type QemuOption,
  type QemuPlace,
  readPlace,
  type StreamPlace,
  streamPlaceOf,
  type VmPlace,
  vmPlaceOf,
} from './qemu-spec.ts'
export { StreamError } from './stream-format.ts'
export { QemuStreamGuest } from './stream-guest.ts'
export { ramFilesOf, removeFiles } from './vm-files.ts'
