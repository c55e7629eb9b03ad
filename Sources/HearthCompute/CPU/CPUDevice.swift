import CKernels
import Foundation

/// The CPU backend: its threads, a parallel loop over them, and scratch memory for kernels.
package final class CPUDevice: Sendable {
    package let threadCount: Int
    package let scratch = ScratchMemory()
    private let pool: ThreadPool

    init(threadCount: Int?, isPinned: Bool = false) {
        let count = max(1, threadCount ?? ProcessInfo.processInfo.activeProcessorCount)
        self.threadCount = count
        pool = ThreadPool.shared(threadCount: count, isPinned: isPinned)
    }

    /// Calls `body` with every task number of `0..<count`, from up to `threadCount` threads.
    package func run(_ count: Int, _ body: @Sendable (Int) -> Void) { pool.run(count, body) }

    /// Calls `body` with every chunk of `0..<count`, `grain` indices or more a chunk, from up to `threadCount` threads.
    ///
    /// Which thread runs a chunk is not defined; chunk borders depend on `count` and `grain` only, so a kernel whose
    /// chunks are independent gives the same bits on any number of threads.
    package func parallel(_ count: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void) {
        let grain = max(1, grain)
        run((count + grain - 1) / grain) { body($0 * grain..<min(count, ($0 + 1) * grain)) }
    }

    package static func describe() -> DeviceDescription {
        let memory = HostMemory.read()
        return DeviceDescription(
            selector: "cpu", kind: .cpu, name: modelName(), driver: "hearth \(String(cString: ck_level_name()))",
            apiVersion: "-", memoryByteCount: memory.total, freeByteCount: memory.available, subgroupSize: 1,
            features: String(cString: ck_level_features()).split(separator: " ").map(String.init), matrixShapes: [],
            unusable: nil)
    }

    private static func modelName() -> String {
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        for line in info.split(separator: "\n") where line.hasPrefix("model name") {
            if let colon = line.firstIndex(of: ":") {
                return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
        }
        return "CPU"
    }
}
