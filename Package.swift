// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]
/// For the modules that touch memory which others can write.
let memory: [SwiftSetting] = strict + [.strictMemorySafety(), .enableExperimentalFeature("Lifetimes")]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// Floor first; every module depends only on what stands above it.
let package = Package(
  name: "framepath",
  products: [
    .executable(name: "framepathd", targets: ["framepathd"]),
    .executable(name: "framepath-vhost-user-gpu", targets: ["framepath-vhost-user-gpu"]),
    .executable(name: "framepath-ivshmem", targets: ["framepath-ivshmem"]),
    .executable(name: "framepath", targets: ["framepath"]),
    // For LD_PRELOAD, by `framepath bench copies`.
    .library(name: "framepath-copy-counter", type: .dynamic, targets: ["CCopyCounter"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // C
    .target(name: "CLinux"),
    .target(name: "CFramepathABI"),
    .target(name: "CCopyCounter"),
    .systemLibrary(name: "CDRM", pkgConfig: "libdrm", providers: [.apt(["libdrm-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),

    // Floor
    .target(name: "LinuxIO", dependencies: ["CLinux"], swiftSettings: memory),
    .target(name: "Scanout", swiftSettings: strict),
    .target(name: "FrameScheduler", swiftSettings: strict),
    .target(name: "FrameSimulator", dependencies: ["FrameScheduler"], swiftSettings: strict),

    // Memory and protocols
    .target(name: "GraphicsMemory", dependencies: ["CLinux", "LinuxIO", "Scanout"], swiftSettings: memory),
    .target(name: "GuestMemory", dependencies: ["LinuxIO", "GraphicsMemory"], swiftSettings: memory),
    .target(name: "Virtio", dependencies: ["GuestMemory"], swiftSettings: memory),
    .target(name: "VhostUser", dependencies: ["LinuxIO", "GuestMemory", "Virtio"], swiftSettings: memory),
    .target(
      name: "PresentProtocol", dependencies: ["CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory"],
      swiftSettings: memory),

    .target(
      name: "HybridRegion", dependencies: ["CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory"],
      swiftSettings: memory),

    // Devices and outputs
    .target(name: "VirtioGPU", dependencies: ["GuestMemory", "Scanout", "GraphicsMemory"], swiftSettings: memory),
    .target(name: "Outputs", dependencies: ["LinuxIO", "Scanout", "GraphicsMemory"], swiftSettings: strict),
    .target(
      name: "Headless", dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "Outputs"], swiftSettings: strict),
    .target(
      name: "KMS", dependencies: ["CDRM", "LinuxIO", "Scanout", "GraphicsMemory", "Outputs"], swiftSettings: memory),

    // Processes
    .target(
      name: "PresentClient", dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "PresentProtocol"],
      swiftSettings: strict),
    .target(
      name: "PresentServer",
      dependencies: [
        "LinuxIO", "Scanout", "FrameScheduler", "GraphicsMemory", "PresentProtocol", "Outputs", "HybridRegion",
      ],
      swiftSettings: strict),

    .target(
      name: "Ivshmem",
      dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "HybridRegion", "PresentProtocol", "PresentClient"],
      swiftSettings: memory),

    .target(
      name: "FramepathGuest",
      dependencies: [
        "CLinux", "CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory", "HybridRegion", "Ivshmem", "PresentProtocol",
      ],
      swiftSettings: memory),

    .target(
      name: "VhostUserFrontend", dependencies: ["LinuxIO", "GuestMemory", "Virtio", "VhostUser"],
      swiftSettings: memory),

    // The tool's own
    .target(
      name: "FramepathBench",
      dependencies: [
        "LinuxIO", "Scanout", "GraphicsMemory", "GuestMemory", "Virtio", "VhostUser", "VhostUserFrontend",
        "PresentProtocol", "PresentClient", "HybridRegion", "FramepathGuest",
      ],
      swiftSettings: memory),
    .target(name: "HostProbe", dependencies: ["LinuxIO", "Scanout"], swiftSettings: strict),
    .target(name: "PNGFile", dependencies: ["CPNG", "Scanout", "GraphicsMemory"], swiftSettings: memory),

    .target(
      name: "GuestPrograms",
      dependencies: [
        "CDRM", "LinuxIO", "Scanout", "GraphicsMemory", "HybridRegion", "Ivshmem", "FramepathGuest", argumentParser,
      ],
      swiftSettings: memory),

    // Executables
    .executableTarget(
      name: "framepathd", dependencies: ["PresentServer", "Headless", "KMS", argumentParser],
      swiftSettings: strict),
    .executableTarget(
      name: "framepath-vhost-user-gpu",
      dependencies: [
        "LinuxIO", "Scanout", "GraphicsMemory", "GuestMemory", "Virtio", "VhostUser", "VirtioGPU", "PresentProtocol",
        "PresentClient", argumentParser,
      ],
      exclude: ["Discovery"], swiftSettings: strict),
    .executableTarget(
      name: "framepath-ivshmem",
      dependencies: ["LinuxIO", "Scanout", "HybridRegion", "Ivshmem", "PresentProtocol", argumentParser],
      swiftSettings: strict),
    .executableTarget(name: "framepath-guest", dependencies: ["GuestPrograms", argumentParser], swiftSettings: strict),
    .executableTarget(
      name: "framepath",
      dependencies: [
        "LinuxIO", "Scanout", "GraphicsMemory", "PNGFile", "FrameScheduler", "FrameSimulator", "HostProbe",
        "GuestPrograms",
        "FramepathBench", "KMS", "PresentClient",
        "PresentProtocol", argumentParser,
      ],
      swiftSettings: strict),

    // Tests
    .target(
      name: "TestSupport",
      dependencies: [
        "VhostUserFrontend", "LinuxIO", "Scanout", "GraphicsMemory", "Outputs", "VirtioGPU",
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(name: "LinuxIOTests", dependencies: ["LinuxIO", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "ScanoutTests", dependencies: ["Scanout"], swiftSettings: strict),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .testTarget(
      name: "FrameSchedulerTests", dependencies: ["FrameScheduler", "FrameSimulator", "CAllocationCounter"],
      swiftSettings: strict),
    .testTarget(
      name: "FrameSimulatorTests", dependencies: ["FrameScheduler", "FrameSimulator"], swiftSettings: strict),
    .testTarget(
      name: "GraphicsMemoryTests",
      dependencies: ["GraphicsMemory", "LinuxIO", "Scanout", "TestSupport", "CAllocationCounter"],
      swiftSettings: strict),
    .testTarget(name: "GuestMemoryTests", dependencies: ["GuestMemory", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "VirtioTests", dependencies: ["Virtio", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "VhostUserTests", dependencies: ["VhostUser", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "VirtioGPUTests", dependencies: ["VirtioGPU", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "PresentProtocolTests", dependencies: ["PresentProtocol", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "PresentServerTests",
      dependencies: [
        "CFramepathABI", "PresentServer", "PresentClient", "Headless", "HybridRegion", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "HostProbeTests",
      dependencies: ["framepath", "HostProbe", "PNGFile", "CPNG", "LinuxIO", "Scanout", "GraphicsMemory"],
      swiftSettings: strict),
    .testTarget(name: "FramepathdTests", dependencies: ["framepathd", "Scanout"], swiftSettings: strict),
    .testTarget(name: "OutputTests", dependencies: ["CDRM", "Headless", "KMS", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "HybridRegionTests",
      dependencies: ["HybridRegion", "CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "IvshmemTests",
      dependencies: [
        "Ivshmem", "HybridRegion", "LinuxIO", "Scanout", "GraphicsMemory", "PresentProtocol", "PresentClient",
        "PresentServer", "Headless", "Outputs",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "FramepathGuestTests",
      dependencies: ["FramepathGuest", "HybridRegion", "CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory"],
      swiftSettings: strict),
    // Drives leased outputs in the lab.
    .executableTarget(
      name: "test-lessee", dependencies: ["CDRM", "LinuxIO"], path: "Tests/Lessee", swiftSettings: strict),
    .testTarget(
      name: "LabTests",
      dependencies: [
        "test-lessee", "CPNG", "CDRM", "LinuxIO", "Scanout", "GraphicsMemory", "PresentProtocol", "PresentClient",
        "VhostUserFrontend", "TestSupport",
      ],
      swiftSettings: strict),
    // The programs as processes.
    .testTarget(
      name: "ProgramTests",
      dependencies: [
        "LinuxIO", "PresentProtocol", "TestSupport", "framepathd", "framepath-vhost-user-gpu", "framepath-ivshmem",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "FramepathBenchTests",
      dependencies: [
        "FramepathBench", "CPNG", "LinuxIO", "PresentProtocol", "framepath", "framepathd",
        "framepath-vhost-user-gpu", "framepath-ivshmem",
      ],
      swiftSettings: strict),
  ]
)
