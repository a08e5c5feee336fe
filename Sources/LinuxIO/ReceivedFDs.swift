import Glibc

/// The descriptors of one received message; those that are not taken are closed.
public struct ReceivedFDs: ~Copyable {
  private let account: DescriptorAccount?
  private var numbers: InlineArray<64, Int32> = .init(repeating: -1)
  /// The number of received descriptors.
  public private(set) var count = 0
  /// Whether more were sent, for which this process had no room; only with an account.
  public private(set) var hasLost = false

  /// No descriptors yet.
  ///
  /// - Parameter account: counts and closes the descriptors of a sender that is not trusted.
  public init(of account: DescriptorAccount? = nil) { self.account = account }

  deinit { for index in 0..<count where numbers[index] >= 0 { ReceivedFDs.close(numbers[index], account) } }

  /// Returns the descriptor at `index`, once; nil if there is none.
  public mutating func take(_ index: Int) -> OwnedFD? {
    guard index >= 0, index < count, numbers[index] >= 0 else { return nil }
    let number = numbers[index]
    numbers[index] = -1
    account?.took(-1)
    return OwnedFD(taking: number, of: account)
  }

  /// Closes the descriptors that were not taken.
  public mutating func removeAll() {
    for index in 0..<count where numbers[index] >= 0 { ReceivedFDs.close(numbers[index], account) }
    count = 0
    hasLost = false
  }

  /// Notes a shortage of this process; false without an account, for an owner that does not tell it from others' faults.
  mutating func noteLoss() -> Bool {
    hasLost = account != nil
    return hasLost
  }

  mutating func append(_ number: Int32) {
    account?.took(1)
    numbers[count] = number
    count += 1
  }

  /// Closes a descriptor beyond those that a message may have.
  func discard(_ number: Int32) {
    account?.took(1)
    ReceivedFDs.close(number, account)
  }

  private static func close(_ number: Int32, _ account: DescriptorAccount?) {
    if let account { account.close(number) } else { _ = Glibc.close(number) }
  }
}

/// The result of one receive call.
public enum ReceiveResult: Equatable, Sendable {
  /// This many bytes.
  case bytes(Int)
  /// Nothing to read now.
  case wouldBlock
  /// The other end has closed.
  case closed
  /// The message was longer than the buffer, or had too many descriptors: the rest is lost.
  case truncated
}
