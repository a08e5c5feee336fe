import CFramepathABI

/// Settings of a VM's device, which its own process applies: DEVICE and DEVICE_SETTINGS have the same fields.
public struct DeviceSettings: Equatable, Sendable {
  /// The limit of that process's memory for the guest's graphics resources in bytes; nil: none, or its default.
  public var memoryLimitBytes: UInt64?
  /// Seconds from the guest's stop until its screen is blanked; nil: never.
  public var blankStoppedSeconds: UInt32?

  /// Settings of a device.
  public init(memoryLimitBytes: UInt64? = nil, blankStoppedSeconds: UInt32? = nil) {
    self.memoryLimitBytes = memoryLimitBytes
    self.blankStoppedSeconds = blankStoppedSeconds
  }

  init(_ bytes: UInt64, _ seconds: UInt32) {
    memoryLimitBytes = bytes == 0 ? nil : bytes
    blankStoppedSeconds = seconds == 0 ? nil : seconds
  }
}

extension framepath_device {
  init(_ settings: DeviceSettings) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_DEVICE, framepath_device.self),
      max_memory: settings.memoryLimitBytes ?? 0, blank_stopped: settings.blankStoppedSeconds ?? 0, reserved: 0)
  }
}

extension framepath_device_settings {
  init(_ settings: DeviceSettings) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_DEVICE_SETTINGS, framepath_device_settings.self),
      max_memory: settings.memoryLimitBytes ?? 0, blank_stopped: settings.blankStoppedSeconds ?? 0, reserved: 0)
  }
}
