import CFramepathABI
public import LinuxIO
public import Scanout

/// A setting and its new value, or one item of a list.
public struct SettingRecord: Equatable, Sendable {
  /// A value, or an item of a list.
  public enum Item: Equatable, Sendable {
    /// No value: never, no limit, or the default; an empty list.
    case none
    /// Seconds, hertz, bytes or a share.
    case number(Int64)
    /// The index of the setting's choice, from 0.
    case choice(Int)
    /// An output of a list.
    case name(String)
    /// A grid of tiles.
    case grid(columns: Int, rows: Int)
    /// The rectangle of a VM.
    case place(vm: String, Rect)
    /// A user, by number.
    case user(UInt32)
    /// A group, by number.
    case group(UInt32)
  }

  /// The setting's number.
  public var setting: UInt32
  /// The VM or the output; empty for all outputs, or the memory.
  public var target: String
  /// The value.
  public var item: Item
  /// Whether the next record has the list's next item.
  public var hasMore: Bool
  /// The line of the configuration file, from 1; nil if it does not come from one.
  public var line: Int?

  /// A record.
  public init(_ setting: UInt32, of target: String, _ item: Item, hasMore: Bool = false, line: Int? = nil) {
    self.setting = setting
    self.target = target
    self.item = item
    self.hasMore = hasMore
    self.line = line
  }
}

/// Records of settings as bytes, for SETTINGS and for the reader of the daemon's configuration file.
public enum SettingRecords {
  /// Bytes of one record.
  public static let byteCount = MemoryLayout<framepath_setting>.size

  /// The records as a sequence of `struct framepath_setting`.
  public static func encode(_ records: [SettingRecord]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(records.count * byteCount)
    for record in records {
      let wire = framepath_setting(record)
      unsafe withUnsafeBytes(of: wire) { unsafe bytes.append(contentsOf: $0) }
    }
    return bytes
  }

  /// A sealed memfd with the records, to be sent with SETTINGS.
  public static func file(_ records: [SettingRecord]) throws(SystemError) -> OwnedFD {
    try MemFD.create(name: "framepath-settings", containing: encode(records))
  }

  /// Reads records.
  ///
  /// - Throws: `.malformed` for bytes that are not whole records, or a record that breaks the rules.
  public static func decode(_ bytes: [UInt8]) throws(PresentProtocolError) -> [SettingRecord] {
    guard bytes.count % byteCount == 0, bytes.count / byteCount <= PresentLimits.settingCount else {
      throw .malformed("\(bytes.count) bytes of settings, records have \(byteCount)")
    }
    var records: [SettingRecord] = []
    for start in stride(from: 0, to: bytes.count, by: byteCount) {
      let wire = unsafe bytes.withUnsafeBytes {
        unsafe $0.loadUnaligned(fromByteOffset: start, as: framepath_setting.self)
      }
      records.append(try SettingRecord(wire))
    }
    return records
  }

  /// Reads the records of a SETTINGS message.
  ///
  /// - Throws: `.malformed` without a sealed memfd of `count` records; `.system` if a call failed.
  public static func read(count: Int, fds: inout ReceivedFDs) throws(PresentProtocolError) -> [SettingRecord] {
    guard let file = fds.take(0), let seals = MemFD.seals(of: file.raw), seals.contains(.shrink) else {
      throw .malformed("SETTINGS without a sealed memfd")
    }
    guard try size(of: file) >= count * byteCount else {
      throw .malformed("SETTINGS's memfd holds less than \(count) records")
    }
    // The client can still write the file: it is copied before it is checked.
    return try decode(copy(of: file, byteCount: count * byteCount))
  }
}

extension SettingRecords {
  private static func size(of file: borrowing OwnedFD) throws(PresentProtocolError) -> Int {
    do throws(SystemError) { return try file.byteCount() } catch { throw .system(error) }
  }

  private static func copy(of file: borrowing OwnedFD, byteCount: Int) throws(PresentProtocolError) -> [UInt8] {
    do throws(SystemError) {
      let mapping = try Mapping(fd: file.raw, byteCount: byteCount, writable: false)
      return unsafe Array(mapping.bytes)
    } catch {
      throw .system(error)
    }
  }
}

extension framepath_setting {
  init(_ record: SettingRecord) {
    self.init()
    setting = record.setting
    more = record.hasMore ? 1 : 0
    line = UInt32(clamping: record.line ?? 0)
    storeText(record.target, in: &target)
    let form: framepath_setting_form
    switch record.item {
    case .none: form = FRAMEPATH_SETTING_NONE
    case .number(let value): (form, number) = (FRAMEPATH_SETTING_NUMBER, value)
    case .choice(let place): (form, number) = (FRAMEPATH_SETTING_CHOICE, Int64(place))
    case .name(let name):
      form = FRAMEPATH_SETTING_NAME
      storeText(name, in: &text)
    case .grid(let columns, let rows):
      (form, rect) = (FRAMEPATH_SETTING_GRID, framepath_rect(Rect(width: columns, height: rows)))
    case .place(let vm, let place):
      (form, rect) = (FRAMEPATH_SETTING_PLACE, framepath_rect(place))
      storeText(vm, in: &text)
    case .user(let id): (form, number) = (FRAMEPATH_SETTING_USER, Int64(id))
    case .group(let id): (form, number) = (FRAMEPATH_SETTING_GROUP, Int64(id))
    }
    self.form = form.rawValue
  }
}

extension SettingRecord {
  init(_ wire: framepath_setting) throws(PresentProtocolError) {
    guard wire.more <= 1 else { throw .malformed("a setting with more \(wire.more)") }
    let text = try loadText(wire.text, "a setting's text")
    let item: Item
    switch framepath_setting_form(rawValue: wire.form) {
    case FRAMEPATH_SETTING_NONE: item = .none
    case FRAMEPATH_SETTING_NUMBER: item = .number(wire.number)
    case FRAMEPATH_SETTING_CHOICE:
      guard let place = UInt8(exactly: wire.number) else { throw .malformed("a setting with choice \(wire.number)") }
      item = .choice(Int(place))
    case FRAMEPATH_SETTING_NAME: item = .name(text)
    case FRAMEPATH_SETTING_GRID: item = .grid(columns: Int(wire.rect.width), rows: Int(wire.rect.height))
    case FRAMEPATH_SETTING_PLACE: item = .place(vm: text, wire.rect.rect)
    case FRAMEPATH_SETTING_USER: item = .user(try SettingRecord.id(wire.number))
    case FRAMEPATH_SETTING_GROUP: item = .group(try SettingRecord.id(wire.number))
    default: throw .malformed("a setting of unknown form \(wire.form)")
    }
    self.init(
      wire.setting, of: try loadText(wire.target, "a setting's target"), item, hasMore: wire.more == 1,
      line: wire.line == 0 ? nil : Int(wire.line))
  }

  /// 2³² - 1 means "no user" to the kernel.
  private static func id(_ number: Int64) throws(PresentProtocolError) -> UInt32 {
    guard let id = UInt32(exactly: number), id != .max else { throw .malformed("a setting with id \(number)") }
    return id
  }
}
