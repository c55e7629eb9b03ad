/// Names of nodes, spools, jobs, datasets and sites: they become parts of paths and labels, so they are plain.
public enum FleetName {
    /// 1 to 128 letters, digits, '.', '_' or '-', not beginning with a dot.
    public static func isValid(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: ".")
            && text.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || [45, 46, 95].contains(byte)
            }
    }
}
