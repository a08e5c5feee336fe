import Testing

@testable import KMS

@Suite("The monitor of an output")
struct PluggedMonitorTests {
  private func connector(connected: Bool = true, edid: [UInt8] = [1]) -> Connector {
    Connector(
      id: 7, isWriteback: false, possibleCRTCs: 1, currentCRTC: nil, modes: [],
      properties: PropertyTable(object: "connector 7", entries: [:]),
      description: ConnectorDescription(
        name: "DP-1", connected: connected, modes: [], widthMillimetres: 0, heightMillimetres: 0, edid: edid))
  }

  @Test func `a reading like the one before it changes nothing`() {
    var monitor = PluggedMonitor(connector())
    #expect(monitor.update(connector()) == .none)
    #expect(monitor.isConnected)
  }

  @Test func `a monitor that is unplugged leaves its description`() {
    var monitor = PluggedMonitor(connector())
    #expect(monitor.update(connector(connected: false, edid: [])) == .unplugged)
    #expect(!monitor.isConnected)
    #expect(monitor.connector.description.edid == [1])
    #expect(monitor.update(connector(connected: false, edid: [])) == .none)
    #expect(monitor.update(connector(edid: [2])) == .other)
    #expect(monitor.isConnected && monitor.connector.description.edid == [2])
  }

  @Test func `another monitor between two readings is a change`() {
    var monitor = PluggedMonitor(connector())
    #expect(monitor.update(connector(edid: [2])) == .other)
    #expect(monitor.connector.description.edid == [2])
  }

  @Test func `a connector that no longer exists is unplugged`() {
    var monitor = PluggedMonitor(connector())
    #expect(monitor.update(nil) == .unplugged)
    #expect(monitor.update(nil) == .none)
    #expect(monitor.update(connector()) == .other)
  }
}
