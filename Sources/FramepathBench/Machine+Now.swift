import Glibc
import LinuxIO

extension Machine {
  /// This machine, now.
  public static func now() -> Machine {
    let cpus = LinuxFile.text("/proc/cpuinfo") ?? ""
    let name = cpus.split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":").last }
    let load = (LinuxFile.text("/proc/loadavg") ?? "").prefix { $0 != " " }
    return Machine(
      processor: name.map { String($0.drop { $0 == " " }) } ?? HostProcess.architecture,
      processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)), load: Double(load) ?? 0, kernel: HostProcess.kernelRelease)
  }
}
