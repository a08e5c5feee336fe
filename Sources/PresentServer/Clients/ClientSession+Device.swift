import DaemonSettings
import PresentProtocol

/// The settings that the VM's device applies in the client's process.
extension ClientSession {
  /// Notes what is in force in the device. The first report requests the host's settings: clients that do not report,
  /// such as those of an older version, do not know DEVICE_SETTINGS.
  func noteDevice(_ reported: DeviceSettings) {
    let isFirst = device == nil
    guard isFirst || reported != device else { return }
    device = reported
    server.changes.note(.settings)
    if isFirst { sendDeviceSettings() }
  }

  /// Sends the host's settings for the device.
  func sendDeviceSettings() {
    if device != nil { send(.deviceSettings(settings.ofDevice)) }
  }
}

extension VMSettings {
  /// Those that the VM's device applies.
  var ofDevice: DeviceSettings {
    DeviceSettings(
      memoryLimitBytes: deviceMemoryBytes.map { UInt64(clamping: $0) },
      blankStoppedSeconds: blankStoppedSeconds.map { UInt32(clamping: $0) })
  }
}
