import LinuxIO

/// A stock guest that boots outside the KMS VM, where that is fast, and is resumed inside it, where booting would take
/// minutes. Its graphics device is plugged in there, and its driver probes it as at boot.
extension LabGuest {
  /// The same machine at both ends, with a place for the device.
  private static let machine = ["--append", "fp.modules=0", "--", "-device", "pcie-root-port,id=plug0,chassis=1"]
  /// Emulated at both ends: the processors of a machine and of one in it differ.
  private static let emulated = ["FRAMEPATH_LAB_ACCEL=tcg"]

  /// Boots a guest without a graphics device and leaves its state in a file.
  static func save(folder: String, to file: String) throws {
    let guest = try LabGuest(folder: folder, vm: "saved", device: "none", arguments: machine, environment: emulated)
    try guest.qmp("stop")
    try guest.qmp("migrate", arguments: #"{"uri":"file:\#(file)"}"#)
    try LabHost.wait("the guest's state") { try guest.qmp("query-migrate").contains(#""status": "completed""#) }
  }

  /// Resumes a saved guest and gives it the complete device of `host`'s backend for `vm`.
  convenience init(host: LabHost, vm: String, saved file: String) throws {
    let socket = ["-chardev", "socket,id=gpu,path=\(host.backendSocket(vm: vm))"]
    try self.init(
      folder: host.folder, vm: vm, device: "none", arguments: LabGuest.machine + socket, saved: file,
      environment: LabGuest.emulated)
    try qmp(
      "device_add",
      arguments: #"{"driver":"vhost-user-test-device-pci","chardev":"gpu","bus":"plug0","virtio-id":16,"#
        + #""num_vqs":2,"config_size":16}"#)
    try run("until [ -e /sys/bus/pci/devices/0000:01:00.0 ]; do sleep 0.2; done; modprobe virtio_gpu", seconds: 300)
    try startDrawing()
  }

  /// Loads a state and lets the guest run.
  static func goOn(with file: String, _ qmp: LineChannel) throws {
    try qmp.execute("migrate-incoming", arguments: #"{"uri":"file:\#(file)"}"#)
    try LabHost.wait("the guest's state", seconds: 300) { try !qmp.execute("query-status").contains("inmigrate") }
    try qmp.execute("cont")
  }

  /// Starts the drawing server if it is not running.
  func startDrawing() throws {
    try run(
      "rm -f /run/fpdraw.sock; fpdraw serve 2>/run/fpdraw.log & while [ ! -S /run/fpdraw.sock ]; do sleep 0.2; done",
      seconds: 300)
  }
}
