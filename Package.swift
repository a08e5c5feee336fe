// swift-tools-version: 6.3
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

/// The hook by which a test makes a running program leave its sandbox: in debug builds only.
let hooks = "FRAMEPATH_TEST_HOOKS"

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// Floor first; every module depends only on modules above it, and declares each one that it imports: `.ci/test` checks it.
let package = Package(
  name: "framepath",
  products: [
    .executable(name: "framepathd", targets: ["framepathd"]),
    .executable(name: "framepathd-config", targets: ["framepathd-config"]),
    .executable(name: "framepath-vhost-user-gpu", targets: ["framepath-vhost-user-gpu"]),
    .executable(name: "framepath-ivshmem", targets: ["framepath-ivshmem"]),
    .executable(name: "framepath-guest", targets: ["framepath-guest"]),
    .executable(name: "framepath", targets: ["framepath"]),
    .executable(name: "framepath-bench", targets: ["framepath-bench"]),
    // For LD_PRELOAD, by `framepath bench copies`.
    .library(name: "framepath-copy-counter", type: .dynamic, targets: ["CCopyCounter"]),
    // For programs that draw: in Swift, and the C and C++ headers.
    .library(name: "FramepathGuest", targets: ["FramepathGuest"]),
    .library(name: "CFramepathABI", targets: ["CFramepathABI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
  ],
  targets: [
    // C
    .target(name: "CLinux"),
    .target(name: "CFramepathABI"),
    .target(name: "CCopyCounter"),
    .target(name: "CSandbox", cSettings: [.define(hooks, .when(configuration: .debug))]),
    .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .systemLibrary(name: "CDRM", pkgConfig: "libdrm", providers: [.apt(["libdrm-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),

    // Floor
    .target(name: "LinuxIO", dependencies: ["CLinux"], swiftSettings: memory),
    .target(
      name: "Sandbox", dependencies: ["CSandbox", "CSeccomp", "LinuxIO"],
      swiftSettings: memory + [.define(hooks, .when(configuration: .debug))]),
    .target(name: "Scanout", swiftSettings: strict),
    .target(name: "FrameScheduler", swiftSettings: strict),
    .target(name: "StatusModel", swiftSettings: strict),
    .target(name: "FrameSimulator", dependencies: ["FrameScheduler"], swiftSettings: strict),

    // Memory and protocols
    .target(name: "GraphicsMemory", dependencies: ["CLinux", "LinuxIO", "Scanout"], swiftSettings: memory),
    .target(name: "GuestMemory", dependencies: ["CLinux", "LinuxIO", "GraphicsMemory"], swiftSettings: memory),
    .target(name: "Virtio", dependencies: ["GuestMemory"], swiftSettings: memory),
    .target(name: "VhostUser", dependencies: ["LinuxIO", "GuestMemory", "Virtio"], swiftSettings: memory),
    .target(
      name: "PresentProtocol", dependencies: ["CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory"],
      swiftSettings: memory),

    // What can be set, as files, command lines and messages carry it.
    .target(
      name: "DaemonSettings", dependencies: ["LinuxIO", "Scanout", "FrameScheduler", "PresentProtocol"],
      swiftSettings: strict),

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
    .target(name: "Seat", dependencies: ["CLinux", "LinuxIO"], swiftSettings: memory),

    // Processes
    .target(
      name: "PresentClient",
      dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "PresentProtocol", "StatusModel"],
      swiftSettings: strict),
    .target(
      name: "PresentServer",
      dependencies: [
        "LinuxIO", "Scanout", "FrameScheduler", "GraphicsMemory", "PresentProtocol", "DaemonSettings", "Outputs",
        "HybridRegion", "StatusModel",
      ],
      swiftSettings: strict),

    .target(
      name: "Ivshmem",
      dependencies: ["LinuxIO", "Scanout", "HybridRegion", "PresentProtocol", "PresentClient"],
      swiftSettings: memory),

    .target(
      name: "FramepathGuest",
      dependencies: [
        "CLinux", "CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory", "HybridRegion", "Ivshmem", "PresentProtocol",
      ],
      swiftSettings: memory),

    // The programs' own. PNGFile is a target because it touches memory in a library's hands, and the tools do not;
    // framepath-guest is ten lines because it is the guest part of framepath alone, for an initramfs.
    .target(name: "CommandSupport", dependencies: ["CFramepathABI"], swiftSettings: strict),
    .target(name: "HostProbe", dependencies: ["LinuxIO", "Sandbox", "Scanout", "Seat"], swiftSettings: strict),
    .target(name: "PNGFile", dependencies: ["CPNG", "Scanout", "GraphicsMemory"], swiftSettings: memory),
    .target(
      name: "GuestPrograms",
      dependencies: [
        "CDRM", "LinuxIO", "Scanout", "GraphicsMemory", "HybridRegion", "FramepathGuest", argumentParser,
      ],
      swiftSettings: memory),

    // The benchmark's own
    .target(
      name: "VhostUserFrontend", dependencies: ["LinuxIO", "GuestMemory", "Virtio", "VhostUser"],
      swiftSettings: memory),
    .target(
      name: "FramepathBench",
      dependencies: [
        "LinuxIO", "Sandbox", "Scanout", "GraphicsMemory", "GuestMemory", "Virtio", "VhostUser", "VhostUserFrontend",
        "PresentProtocol", "PresentClient", "DaemonSettings", "FramepathGuest", "StatusModel",
      ],
      swiftSettings: memory),

    // TOML, for framepathd-config alone: the parser brings Foundation along, which is as large as the daemon.
    .target(
      name: "SettingsFile", dependencies: ["DaemonSettings", .product(name: "TOMLKit", package: "TOMLKit")],
      swiftSettings: strict),

    // Executables
    .executableTarget(
      name: "framepathd-config",
      dependencies: ["LinuxIO", "PresentProtocol", "DaemonSettings", "SettingsFile", "CommandSupport"],
      swiftSettings: strict),
    .executableTarget(
      name: "framepathd",
      dependencies: [
        "LinuxIO", "Sandbox", "Scanout", "PresentProtocol", "DaemonSettings", "Outputs", "Headless", "KMS", "Seat",
        "StatusModel", "PresentServer", "CommandSupport", argumentParser,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "framepath-vhost-user-gpu",
      dependencies: [
        "LinuxIO", "Sandbox", "Scanout", "GraphicsMemory", "GuestMemory", "Virtio", "VhostUser", "VirtioGPU",
        "PresentProtocol", "PresentClient", "CommandSupport", argumentParser,
      ],
      exclude: ["Discovery"], swiftSettings: strict),
    .executableTarget(
      name: "framepath-ivshmem",
      dependencies: [
        "LinuxIO", "Sandbox", "Scanout", "HybridRegion", "Ivshmem", "PresentProtocol", "CommandSupport", argumentParser,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "framepath-guest", dependencies: ["GuestPrograms", "CommandSupport", argumentParser], swiftSettings: strict),
    .executableTarget(
      name: "framepath",
      dependencies: [
        "LinuxIO", "Sandbox", "Scanout", "PNGFile", "HostProbe", "GuestPrograms", "KMS", "Seat", "PresentClient",
        "PresentProtocol",
        "DaemonSettings", "FrameScheduler", "StatusModel", "CommandSupport", argumentParser,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "framepath-bench",
      dependencies: [
        "LinuxIO", "Scanout", "FrameScheduler", "FrameSimulator", "FramepathGuest", "Ivshmem", "GuestPrograms",
        "FramepathBench",
        "CommandSupport", argumentParser,
      ],
      swiftSettings: memory),

    // Tests
    .target(
      name: "TestSupport",
      dependencies: [
        "CFaults", "CLinux", "VhostUserFrontend", "LinuxIO", "Scanout", "GraphicsMemory", "Virtio", "VirtioGPU",
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    // Stands in for a server's outputs and clock.
    .target(
      name: "ServerSupport", dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "Outputs", "PresentServer"],
      path: "Tests/ServerSupport", swiftSettings: strict),
    .target(name: "CFaults", path: "Tests/CFaults"),
    .target(name: "CUinput", path: "Tests/CUinput"),
    // Meets SIGBUS in every way.
    .executableTarget(
      name: "test-faults", dependencies: ["LinuxIO"], path: "Tests/Faults", swiftSettings: strict),
    .testTarget(
      name: "LinuxIOTests", dependencies: ["LinuxIO", "TestSupport", "test-faults"], swiftSettings: strict),
    // Applies a policy to itself, and leaves it.
    .executableTarget(
      name: "test-sandbox", dependencies: ["CFaults", "LinuxIO", "Sandbox"], path: "Tests/Sandboxed",
      swiftSettings: strict),
    .testTarget(
      name: "SandboxTests", dependencies: ["LinuxIO", "Sandbox", "TestSupport", "test-sandbox"], swiftSettings: strict),
    .testTarget(name: "SeatTests", dependencies: ["LinuxIO", "Seat", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "ScanoutTests", dependencies: ["Scanout"], swiftSettings: strict),
    .testTarget(name: "StatusModelTests", dependencies: ["StatusModel"], swiftSettings: strict),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .testTarget(
      name: "FrameSchedulerTests", dependencies: ["FrameScheduler", "FrameSimulator", "CAllocationCounter"],
      swiftSettings: strict),
    .testTarget(
      name: "FrameSimulatorTests", dependencies: ["FrameScheduler", "FrameSimulator"], swiftSettings: strict),
    .testTarget(
      name: "GraphicsMemoryTests",
      dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "CAllocationCounter", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "GuestMemoryTests", dependencies: ["CLinux", "LinuxIO", "GraphicsMemory", "GuestMemory", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "VirtioTests", dependencies: ["FrameSimulator", "GuestMemory", "Virtio", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "VhostUserTests",
      dependencies: ["CLinux", "LinuxIO", "FrameSimulator", "GuestMemory", "Virtio", "VhostUser", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "VirtioGPUTests",
      dependencies: ["Scanout", "FrameSimulator", "GraphicsMemory", "GuestMemory", "VirtioGPU", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "PresentProtocolTests", dependencies: ["LinuxIO", "Scanout", "GraphicsMemory", "PresentProtocol"],
      swiftSettings: strict),
    .testTarget(name: "SettingsFileTests", dependencies: ["SettingsFile", "DaemonSettings"], swiftSettings: strict),
    .testTarget(
      name: "DaemonSettingsTests", dependencies: ["DaemonSettings", "Scanout", "FrameScheduler", "PresentProtocol"],
      swiftSettings: strict),
    .testTarget(
      name: "PresentServerTests",
      dependencies: [
        "CFramepathABI", "LinuxIO", "Scanout", "FrameScheduler", "FrameSimulator", "GraphicsMemory", "PresentProtocol",
        "DaemonSettings", "SettingsFile", "Outputs", "Headless", "HybridRegion", "StatusModel", "PresentServer",
        "PresentClient", "TestSupport", "ServerSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "HostProbeTests",
      dependencies: [
        "framepath", "CommandSupport", "HostProbe", "PNGFile", "CPNG", "LinuxIO", "Scanout", "GraphicsMemory", "Seat",
        "StatusModel", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "FramepathdTests",
      dependencies: [
        "framepathd", "framepathd-config", "DaemonSettings", "LinuxIO", "PresentServer", "Scanout", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "OutputTests",
      dependencies: ["CDRM", "LinuxIO", "Scanout", "GraphicsMemory", "Outputs", "Headless", "KMS", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "HybridRegionTests",
      dependencies: [
        "FrameSimulator", "HybridRegion", "CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "IvshmemTests",
      dependencies: [
        "Ivshmem", "HybridRegion", "LinuxIO", "Scanout", "GraphicsMemory", "PresentProtocol", "PresentClient",
        "PresentServer", "Headless", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "FramepathGuestTests",
      dependencies: ["FramepathGuest", "HybridRegion", "CFramepathABI", "LinuxIO", "Scanout", "GraphicsMemory"],
      swiftSettings: strict),
    // Attacks the programs, with a VM beside that shows frames.
    .executableTarget(
      name: "test-attack",
      dependencies: [
        "CLinux", "CFramepathABI", "LinuxIO", "Sandbox", "Scanout", "GraphicsMemory", "HybridRegion",
        "VhostUserFrontend",
        "PresentProtocol", "PresentClient", "StatusModel", "FramepathBench", "CommandSupport", "TestSupport",
        argumentParser,
      ],
      path: "Tests/Attack", swiftSettings: strict),
    // Drives leased outputs in the lab.
    .executableTarget(
      name: "test-lessee", dependencies: ["CDRM", "LinuxIO"], path: "Tests/Lessee", swiftSettings: strict),
    .testTarget(
      name: "LabTests",
      dependencies: [
        "test-lessee", "CPNG", "CDRM", "CUinput", "LinuxIO", "Sandbox", "Scanout", "GraphicsMemory", "PresentProtocol",
        "PresentClient",
        "VhostUserFrontend", "StatusModel", "TestSupport",
      ],
      swiftSettings: strict),
    // The programs as processes, and their command lines.
    .testTarget(
      name: "ProgramTests",
      dependencies: [
        "LinuxIO", "Sandbox", "GraphicsMemory", "PresentProtocol", "PresentClient", "StatusModel", "CommandSupport",
        "TestSupport", "VhostUser", "test-attack", "framepathd",
        "framepathd-config", "framepath-vhost-user-gpu", "framepath-ivshmem", "framepath-guest", "framepath",
        "framepath-bench", argumentParser,
      ],
      swiftSettings: strict + [.define(hooks, .when(configuration: .debug))]),
    .testTarget(
      name: "FramepathBenchTests",
      dependencies: [
        "FramepathBench", "CPNG", "LinuxIO", "PresentProtocol", "StatusModel", "TestSupport", "framepath",
        "framepath-bench", "framepathd",
        "framepath-vhost-user-gpu", "framepath-ivshmem",
      ],
      swiftSettings: strict),
  ]
)

// The fuzz targets are built with instrumentation by Tests/Fuzz/run; no other build knows them.
if Context.environment["FRAMEPATH_FUZZ"] != nil {
  package.products.append(.executable(name: "framepath-fuzz", targets: ["framepath-fuzz"]))
  package.targets += [
    .target(
      name: "FuzzTargets",
      dependencies: [
        "LinuxIO", "Scanout", "GraphicsMemory", "GuestMemory", "Virtio", "VhostUser", "VhostUserFrontend", "VirtioGPU",
        "PresentProtocol", "PresentServer", "Outputs", "HybridRegion", "DaemonSettings", "SettingsFile", "TestSupport",
        "ServerSupport",
      ],
      path: "Tests/Fuzz/Targets", swiftSettings: memory),
    .executableTarget(name: "framepath-fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Program"),
  ]
}
