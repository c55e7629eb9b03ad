import Foundation

/// The resident set of this process, as Linux reports it.
enum ProcessMemory {
    /// MiB by which `body` lifts the resident set at its peak.
    static func peakGrowth(_ body: () throws -> Void) throws -> Double {
        // "5" resets the high-water mark. What Foundation takes for its first writing and reading is not the body's.
        try Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
        _ = field("VmHWM")
        let before = field("VmRSS")
        try body()
        return max(0, field("VmHWM") - before)
    }

    /// A field of /proc/self/status in MiB.
    private static func field(_ name: String) -> Double {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }.map { $0 / 1024 }
                ?? 0
        }
        return 0
    }
}
