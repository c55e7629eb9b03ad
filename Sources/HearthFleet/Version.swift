/// This build's version, as nodes report it.
public enum HearthVersion {
    public static let current = "0.1.0"
}
