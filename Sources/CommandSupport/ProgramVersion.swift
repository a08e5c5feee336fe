import CFramepathABI

/// The version of all programs of this package.
public enum ProgramVersion {
  /// Semantic versioning; `-dev` until it is released.
  public static let current = "0.1.0-dev"

  /// The output of `--version`: the version of the program and of its interfaces.
  public static let text =
    "\(current) (daemon protocol \(FRAMEPATH_PROTOCOL_VERSION), region \(FRAMEPATH_REGION_MAJOR))"
}
