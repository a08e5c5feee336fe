@_exported public import VhostUserFrontend

/// A guest's driver in tests.
public typealias MockDriver = QueueDriver
/// One buffer of a chain.
public typealias MockBuffer = DriverBuffer
/// QEMU in tests.
public typealias FakeFrontend = Frontend
/// A failure on the frontend's side.
public typealias FakeFrontendError = FrontendError
