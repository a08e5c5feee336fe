// swift-tools-version: 6.3
// An external package that draws through the guest libraries, which must export everything it needs.
//   swift build --package-path Tests/GuestPackage
import PackageDescription

let package = Package(
  name: "guest-package",
  dependencies: [.package(name: "framepath", path: "../..")],
  targets: [
    .executableTarget(
      name: "guest-in-swift", dependencies: [.product(name: "FramepathGuest", package: "framepath")]),
    .executableTarget(name: "guest-in-c", dependencies: [.product(name: "CFramepathABI", package: "framepath")]),
  ]
)
