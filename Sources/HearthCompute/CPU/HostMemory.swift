import CKernels
import Foundation

/// The host's memory, as Linux reports it.
enum HostMemory {
    static func read() -> (total: UInt64, available: UInt64?) {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        return (field("MemTotal", of: text) ?? ProcessInfo.processInfo.physicalMemory, field("MemAvailable", of: text))
    }

    /// A field of /proc/meminfo in bytes.
    static func field(_ name: String, of text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 * 1024 }
        }
        return nil
    }

    static func adviseHugePages(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
        ck_advise_huge_pages(pointer, Int64(byteCount))
    }
}
