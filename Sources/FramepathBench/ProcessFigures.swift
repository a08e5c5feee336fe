import Glibc
import LinuxIO
import Sandbox

/// The kernel's counters of a process, with its worker if it is a launcher.
struct ProcessFigures: Equatable {
  /// Time on a CPU over all threads, by the scheduler's own nanoseconds (/proc/PID/task/*/schedstat).
  var cpuNanoseconds: UInt64 = 0
  /// The number of voluntary context switches.
  var voluntarySwitches: UInt64 = 0
  /// The number of involuntary context switches.
  var involuntarySwitches: UInt64 = 0

  /// Reads the counters; `name` is used in the error if the process has ended or is hidden.
  init(pid: Int32, name: String) throws(BenchError) {
    do throws(SystemError) {
      for process in LaunchedWorkers.with(pid) { try add(process) }
    } catch {
      throw BenchError(reading: name, pid: pid, error)
    }
  }

  private mutating func add(_ process: Int32) throws(SystemError) {
    for task in try LinuxFile.list("/proc/\(process)/task") {
      do throws(SystemError) {
        try add(thread: "/proc/\(process)/task/\(task)")
      } catch  where error.code == ENOENT || error.code == ESRCH {
        // A thread that ended after the list was read. Without its process, the next list fails.
        continue
      }
    }
  }

  private mutating func add(thread directory: String) throws(SystemError) {
    let times = String(decoding: try LinuxFile.read("\(directory)/schedstat"), as: UTF8.self)
    let status = String(decoding: try LinuxFile.read("\(directory)/status"), as: UTF8.self)
    cpuNanoseconds += UInt64(times.prefix { $0 != " " }) ?? 0
    voluntarySwitches += ProcFile.number("voluntary_ctxt_switches", in: status)
    involuntarySwitches += ProcFile.number("nonvoluntary_ctxt_switches", in: status)
  }

  /// All zero.
  init() {}

  /// The difference from `earlier`.
  func since(_ earlier: ProcessFigures) -> ProcessFigures {
    var difference = ProcessFigures()
    difference.cpuNanoseconds = cpuNanoseconds &- earlier.cpuNanoseconds
    difference.voluntarySwitches = voluntarySwitches &- earlier.voluntarySwitches
    difference.involuntarySwitches = involuntarySwitches &- earlier.involuntarySwitches
    return difference
  }
}

/// Private memory of a process, with its worker if it is a launcher, from /proc/PID/smaps.
struct ProcessMemory: Equatable {
  /// Private_Clean and Private_Dirty of every mapping except memfds and dma-bufs.
  var privateBytes: UInt64 = 0
  /// The same of memfds and dma-bufs: framebuffers and guest RAM that no other process maps now.
  var bufferBytes: UInt64 = 0

  /// Reads the sizes; `name` is used in the error if the process has ended or is hidden.
  init(pid: Int32, name: String) throws(BenchError) {
    var text = ""
    do throws(SystemError) {
      for process in LaunchedWorkers.with(pid) {
        text += String(decoding: try LinuxFile.read("/proc/\(process)/smaps", limit: 1 << 24), as: UTF8.self)
      }
    } catch {
      throw BenchError(reading: name, pid: pid, error)
    }
    self.init(smaps: text)
  }

  /// From the text of a smaps file.
  init(smaps text: String) {
    var isBuffer = false
    for line in text.split(separator: "\n") {
      if line.hasPrefix("Private_") {
        let bytes = ProcFile.firstNumber(line) * 1024
        if isBuffer { bufferBytes += bytes } else { privateBytes += bytes }
      } else if line.first?.isUppercase == false {
        // `7f12…-7f13… rw-s 00000000 00:01 1234  /memfd:frame (deleted)` begins a mapping.
        isBuffer = line.contains("/memfd:") || line.contains("dmabuf")
      }
    }
  }
}

/// Numbers in the text files of /proc.
enum ProcFile {
  /// The number after `key:`; 0 if there is none.
  static func number(_ key: String, in text: String) -> UInt64 {
    for line in text.split(separator: "\n") where line.hasPrefix("\(key):") { return firstNumber(line) }
    return 0
  }

  /// The first number of a line after its colon.
  static func firstNumber(_ line: Substring) -> UInt64 {
    let value = line.drop { $0 != ":" }.drop { !$0.isNumber }.prefix { $0.isNumber }
    return UInt64(value) ?? 0
  }
}
