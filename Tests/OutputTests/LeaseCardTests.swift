import CDRM
import LinuxIO
import Outputs
import Scanout
import Testing

@testable import KMS

extension OutputConformance {
  /// DRM leases of a card; they need FRAMEPATH_TEST_CARD.
  @Suite(.serialized, .enabled(if: TestScreen.card != nil, "FRAMEPATH_TEST_CARD names no card"))
  struct Lease {
    /// An output that shows the pattern, with its lease.
    private func leased() throws -> (OutputBench, KMSOutput, OutputLease, ShownState) {
      let bench = try TestScreen.kms.open()
      let output = try #require(bench.output as? KMSOutput)
      let mode = output.info.mode
      let picture = try output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      try fill(picture, pattern)
      try bench.show(picture)
      let before = try ShownState(output.device, output.pipeline)
      let flips = bench.flips.count
      try output.clearForLease()
      try bench.wait(for: "black") { bench.flips.count > flips }
      return (bench, output, try output.makeLease(), before)
    }

    /// Ends the lease and waits until the former picture is on screen.
    private func end(_ bench: OutputBench, showsPicture: Bool = true) throws {
      let flips = bench.flips.count
      bench.output.endLease(showsPicture: showsPicture)
      #expect(bench.output.isCommitPending)
      try bench.wait(for: "the end of the lease") { bench.flips.count > flips }
    }

    @Test func `a lessee has the output's objects and no others, until they are taken back`() throws {
      let (bench, output, lease, before) = try leased()
      defer { bench.close() }
      if let seen = try output.capture() { #expect(differences(seen) { _, _ in 0 } == 0) }
      let objects = [lease.connectorID, lease.crtcID] + output.pipeline.planeIDs
      #expect(lease.planeID == output.pipeline.primary.id)
      #expect(Set(try DRMLease.objects(of: lease.descriptor.raw)) == Set(objects))
      #expect(try output.device.lessees() == [lease.lesseeID])
      #expect(throws: OutputError.rejected("\(output.info.name) is leased")) { try bench.commit(bench.uniform(1)) }
      #expect(throws: DRMLeaseError.notMade(objects: objects, code: 16)) {
        _ = try DRMLease(of: output.device, objects: objects).lesseeID
      }

      try end(bench)
      #expect(try DRMLease.objects(of: lease.descriptor.raw) == [])
      #expect(try output.device.lessees() == [])
      #expect(try ShownState(output.device, output.pipeline) == before)
      if let seen = try output.capture() { #expect(differences(seen, pattern) == 0) }
      try bench.show(try bench.uniform(5))
      if let seen = try output.capture() { #expect(differences(seen) { _, _ in 5 } == 0) }
    }

    @Test func `properties that a lessee set are restored`() throws {
      let (bench, output, lease, before) = try leased()
      defer { bench.close() }
      let raw = lease.descriptor.raw
      let crtc = try #require(drmModeGetCrtc(raw, lease.crtcID))
      let size = Int(crtc.pointee.gamma_size)
      drmModeFreeCrtc(crtc)
      var ramp = (0..<size).map { UInt16(65_535 - $0 * 65_535 / max(1, size - 1)) }
      if size > 0 {
        let code = ramp.withUnsafeMutableBufferPointer { values in
          let table = values.baseAddress
          return drmModeCrtcSetGamma(raw, lease.crtcID, UInt32(size), table, table, table)
        }
        #expect(code == 0)
      }
      // Everything off: the picture, the mode, the connector.
      #expect(drmModeSetCrtc(raw, lease.crtcID, 0, 0, 0, nil, 0, nil) == 0)
      #expect(try ShownState(output.device, output.pipeline) != before)

      try end(bench)
      #expect(try ShownState(output.device, output.pipeline) == before)
      if let seen = try output.capture() { #expect(differences(seen, pattern) == 0) }
      let gamma = try PropertyTable(
        output.device, object: lease.crtcID, type: UInt32(DRM_MODE_OBJECT_CRTC), name: "CRTC"
      ).value("GAMMA_LUT")
      #expect(gamma == 0)
    }

    /// The same, whose lessee has closed its device.
    private func abandoned() throws -> (OutputBench, KMSOutput, UInt32) {
      let (bench, output, lease, _) = try leased()
      #expect(try output.device.lessees() == [lease.lesseeID])
      return (bench, output, lease.lesseeID)
    }

    @Test func `a lessee that closes its device is reported`() throws {
      let (bench, output, _) = try abandoned()
      defer { bench.close() }
      try bench.wait(for: "the kernel's word") { bench.leaseEnds == 1 }
      #expect(try output.device.lessees() == [])
      try end(bench)
      try bench.show(try bench.uniform(5))
    }

    @Test func `a lease that ends without a picture leaves the output off, and the next frame turns it on`() throws {
      let (bench, output, lease, _) = try leased()
      defer { bench.close() }
      try end(bench, showsPicture: false)
      #expect(try !ShownState(output.device, output.pipeline).isOn)
      #expect(try DRMLease.objects(of: lease.descriptor.raw) == [])
      try bench.show(try bench.uniform(5))
      #expect(try ShownState(output.device, output.pipeline).isOn)
    }

    @Test func `closing an output that is leased restores the former picture`() throws {
      let former = try TestScreen.kms.open()
      let mode = former.output.info.mode
      let picture = try former.output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      try fill(picture, pattern)
      try former.show(picture)
      let card = try #require(former.card)
      let pipeline = try #require(former.output as? KMSOutput).pipeline
      let before = try ShownState(card.device, pipeline)
      card.device.dropMaster()

      let (bench, _, lease, _) = try leased()
      bench.close()
      #expect(try ShownState(card.device, pipeline) == before)
      #expect((try? DRMLease.objects(of: lease.descriptor.raw)) ?? [] == [])

      try card.device.becomeMaster()
      former.close()
    }
  }
}
