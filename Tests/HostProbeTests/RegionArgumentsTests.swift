import HostProbe
import Testing

@Suite struct RegionArgumentsTests {
  private func capabilities(_ devices: Set<String>) -> QEMUCapabilities {
    QEMUCapabilities(version: QEMUVersion(11, 1), genericDevice: nil, hasVhostUserGPU: true, ivshmemDevices: devices)
  }

  @Test func `a QEMU with doorbells gets them`() throws {
    let words = try RegionArguments(socketPath: "/run/web.sock").words(
      for: capabilities(["ivshmem-doorbell", "ivshmem-plain"])
    ) { 0 }
    #expect(
      words.joined(separator: " ")
        == "-chardev socket,id=fpregion,path=/run/web.sock -device ivshmem-doorbell,chardev=fpregion,vectors=1")
  }

  @Test func `a QEMU without them maps the region's file`() throws {
    let words = try RegionArguments(socketPath: "/run/web.sock").words(for: capabilities(["ivshmem-plain"])) {
      64 << 20
    }
    #expect(
      words.joined(separator: " ")
        == "-object memory-backend-file,id=fpregion,share=on,mem-path=/run/web.sock.region,size=67108864 "
        + "-device ivshmem-plain,memdev=fpregion")
  }

  @Test func `a missing device and a region that is not served are errors`() {
    let request = RegionArguments(socketPath: "/run/nobody.sock", choice: .doorbell)
    #expect(throws: HostProbeError.self) { try request.words(for: capabilities([])) { 0 } }
    #expect(throws: HostProbeError.self) { try request.servedByteCount() }
  }
}
