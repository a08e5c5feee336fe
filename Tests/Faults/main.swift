// A process that meets SIGBUS while it has guarded mappings: `test-faults KIND`. Status 0 if it goes on.
import Glibc
import LinuxIO

/// A mapped page of a file without bytes.
func missingPage(at place: UnsafeMutableRawPointer? = nil) throws -> UnsafeMutableRawPointer {
  let file = try MemFD.createEmpty(name: "empty")
  let flags = MAP_SHARED | (place == nil ? 0 : MAP_FIXED)
  guard let page = mmap(place, pageByteCount, PROT_READ, flags, file.raw, 0), page != MAP_FAILED else { exit(10) }
  return page
}

let kind = CommandLine.arguments.last ?? ""
if kind == "handled" { signal(SIGBUS) { _ in _exit(3) } }
let memory = try MemFD.create(name: "sealed", byteCount: pageByteCount)
let guarded = try Mapping(fd: memory.raw, byteCount: pageByteCount)
switch kind {
case "outside", "handled":
  let byte = try missingPage().load(as: UInt8.self)
  exit(Int32(byte) + 11)
case "sent":
  kill(getpid(), SIGBUS)
  exit(12)
case "unguarded":
  let file = try MemFD.createEmpty(name: "empty")
  let mapping = try Mapping(fd: file.raw, byteCount: pageByteCount, isGuarded: false)
  exit(Int32(mapping.bytes[0]) + 13)
case "gone":
  let place: UnsafeMutableRawPointer
  do {
    let gone = try Mapping(fd: memory.raw, byteCount: pageByteCount)
    place = gone.base
  }
  let byte = try missingPage(at: place).load(as: UInt8.self)
  exit(Int32(byte) + 14)
case "guarded":
  let file = try MemFD.createEmpty(name: "empty")
  let mapping = try Mapping(fd: file.raw, byteCount: pageByteCount)
  exit(mapping.bytes[0] == 0 && mapping.isSpoilt && !guarded.isSpoilt ? 0 : 15)
default: exit(64)
}
