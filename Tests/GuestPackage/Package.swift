// swift-tools-version: 6.3
// A package of somebody else's that draws through the guest libraries: what it needs must be in the products.
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
