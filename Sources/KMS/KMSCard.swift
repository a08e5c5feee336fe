import CDRM
public import LinuxIO
import Outputs
public import Scanout

/// A DRM card that this process drives: its mastership, its connectors, and the outputs made of them.
///
/// One descriptor serves all outputs of a card. Used from the loop's thread only. The card keeps the mastership until
/// `close`.
public final class KMSCard {
  /// The card's node, `/dev/dri/card0`.
  public let path: String
  /// Called with the new `connectors` after connectors were plugged or unplugged.
  public var onOutputsChanged: (([ConnectorDescription]) -> Void)?

  let device: CardDevice
  let loop: EventLoop
  let topology: Topology
  let capabilities: CardCapabilities
  let importer: Importer
  private(set) var allConnectors: [Connector]
  private(set) var isGone = false
  /// Whether another console is shown, so that another program may be the DRM master.
  var isGivenUp = false
  private var outputs: [OpenOutput] = []
  private var source: EventLoop.Source?
  private var hotplug: HotplugListener?
  private var eventBuffer = [UInt8](repeating: 0, count: 4096)
  private var flips: [PageFlip] = []

  private struct OpenOutput {
    let crtcID: UInt32
    let connectorID: UInt32
    let planeIDs: [UInt32]
    weak var output: KMSOutput?
  }

  /// Opens a card and becomes its DRM master.
  ///
  /// - Parameters:
  ///   - path: `/dev/dri/card0`.
  ///   - loop: the loop that delivers flips and hotplug events; the card is used on its thread only.
  public static func open(path: String, loop: EventLoop) throws(KMSError) -> KMSCard {
    let device: CardDevice
    do { device = try CardDevice(path: path) } catch { throw .system(error) }
    return try KMSCard(device, loop: loop)
  }

  private init(_ device: CardDevice, loop: EventLoop) throws(KMSError) {
    path = device.path
    self.device = device
    self.loop = loop
    capabilities = try CardCapabilities(device)
    try KMSCard.becomeMaster(device)
    importer = Importer(device, capabilities)
    do throws(SystemError) {
      topology = try Topology(device)
      allConnectors = try Topology.connectors(device, probe: true)
      flips.reserveCapacity(128)
      source = try loop.add(device.fd.raw) { [weak self] _ in self?.readEvents() }
    } catch {
      throw .system(error)
    }
    // Without netlink (in some containers) the card works, but hotplug is not noticed.
    hotplug = try? HotplugListener(path: path, loop: loop) { [weak self] news in self?.heard(news) }
  }

  deinit { close() }

  /// All connectors that can have a monitor, without writeback connectors.
  public var connectors: [ConnectorDescription] {
    allConnectors.filter { !$0.isWriteback }.map(\.description)
  }

  /// The driver's name, such as `vkms` or `i915`.
  public var driverName: String { capabilities.driverName }

  /// Opens an output on a connector, and shows black on it.
  ///
  /// - Parameters:
  ///   - connector: a name of `connectors`.
  ///   - mode: nil for the monitor's preferred mode; a rate of 0 for the first mode of that size, another rate for the
  ///     nearest one within 1 Hz.
  public func makeOutput(connector name: String, mode: DisplayMode?) throws(KMSError) -> KMSOutput {
    guard let connector = allConnectors.first(where: { !$0.isWriteback && $0.description.name == name }) else {
      throw .noConnector(name, has: connectors.map(\.name))
    }
    outputs.removeAll { $0.output == nil }
    if outputs.contains(where: { $0.connectorID == connector.id }) { throw .inUse(name) }
    guard connector.description.connected else { throw .disconnected(name) }
    let chosen = try KMSMode.choose(mode, from: connector.modes, connector: name)
    guard let crtc = crtc(for: connector) else { throw .noPipeline(name) }
    let pipeline = try Pipeline(
      connector: connector, crtc: crtc, crtcCount: topology.crtcs.count, planes: topology.planes,
      taken: Set(outputs.flatMap(\.planeIDs)))
    let output = try KMSOutput(card: self, pipeline: pipeline, connector: connector, mode: chosen, wanted: mode)
    outputs.append(
      OpenOutput(crtcID: crtc.id, connectorID: connector.id, planeIDs: pipeline.planeIDs, output: output))
    return output
  }

  /// Closes all outputs, which restores what was shown before, and drops the mastership.
  public func close() {
    for entry in outputs { entry.output?.close() }
    outputs = []
    hotplug = nil
    if let source {
      loop.remove(source)
      device.dropMaster()
    }
    source = nil
  }

  /// Called by an output that has closed: its CRTC and connector are free.
  func closed(crtcID: UInt32) { outputs.removeAll { $0.crtcID == crtcID } }

  /// The writeback connector that can capture a CRTC.
  func writebackConnector(for crtc: CRTC) -> Connector? {
    allConnectors.first { $0.isWriteback && $0.possibleCRTCs >> crtc.index & 1 == 1 }
  }

  /// Reads the connectors again and notifies the outputs that changed.
  func rescan() {
    guard let read = try? Topology.connectors(device, probe: true) else { return }
    let before = connectors
    allConnectors = read
    for entry in outputs {
      entry.output?.connectorChanged(read.first { $0.id == entry.connectorID })
    }
    if connectors != before { onOutputsChanged?(connectors) }
  }

  private func crtc(for connector: Connector) -> CRTC? {
    func wish(_ connector: Connector) -> Assignment.Wish {
      Assignment.Wish(
        connector: connector.id, possibleCRTCs: connector.possibleCRTCs, currentCRTC: connector.currentCRTC)
    }
    let waiting = allConnectors.filter { candidate in
      !candidate.isWriteback && candidate.description.connected
        && !outputs.contains { $0.connectorID == candidate.id }
    }
    let crtcs = topology.crtcs.map { crtc in outputs.contains { $0.crtcID == crtc.id } ? nil : crtc.id }
    let id =
      Assignment.match(waiting.map(wish), crtcs: crtcs)[connector.id]
      // There are more connectors than CRTCs: the requested one goes first.
      ?? Assignment.match([wish(connector)], crtcs: crtcs)[connector.id]
    return topology.crtcs.first { $0.id == id }
  }

  /// The outputs that are not closed.
  var openOutputs: [KMSOutput] { outputs.compactMap(\.output) }

  func becomeMaster() throws(KMSError) { try KMSCard.becomeMaster(device) }

  private static func becomeMaster(_ device: CardDevice) throws(KMSError) {
    // The first process to open a card is already its master.
    if device.isMaster { return }
    do {
      try device.becomeMaster()
    } catch {
      throw .masterTaken(path: device.path, holders: MasterHolder.find(path: device.path, minor: device.minor))
    }
  }

  private func readEvents() {
    // SAFETY: the buffer is the array's own storage; the kernel writes at most its size, whole events only.
    let count = unsafe eventBuffer.withUnsafeMutableBytes { bytes in
      unsafe (try? readAvailable(device.fd.raw, into: bytes)) ?? 0
    }
    flips.removeAll(keepingCapacity: true)
    unsafe eventBuffer.withUnsafeBytes { bytes in
      unsafe PageFlip.forEach(in: UnsafeRawBufferPointer(rebasing: bytes.prefix(count))) { flips.append($0) }
    }
    for index in flips.indices {
      let flip = flips[index]
      outputs.first { $0.crtcID == flip.crtcID }?.output?.flipped(flip)
    }
  }

  /// Ends the leases whose lessees closed them.
  private func checkLeases() {
    guard outputs.contains(where: { $0.output?.lease != nil }), let lessees = try? device.lessees() else { return }
    for entry in outputs { entry.output?.checkLease(lessees: lessees) }
  }

  private func heard(_ news: HotplugListener.News) {
    switch news {
    case .connectorsChanged:
      // Read when the card is taken back: until then no output can be opened.
      if isGivenUp { return }
      rescan()
      checkLeases()
    case .leasesChanged: checkLeases()
    case .cardRemoved:
      isGone = true
      allConnectors = []
      for entry in outputs { entry.output?.connectorChanged(nil) }
      onOutputsChanged?([])
    }
  }
}
