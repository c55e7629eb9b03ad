import CKernels
import Dispatch
import Foundation
import Synchronization

/// The CPU backend: how many threads, and a parallel loop over them.
package final class CPUDevice: Sendable {
    package let threadCount: Int

    init(threadCount: Int?) {
        self.threadCount = max(1, threadCount ?? ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Calls `body` with every chunk of `0..<count`, `grain` indices or more a chunk, from up to `threadCount` threads.
    ///
    /// Which thread runs a chunk is not defined; chunk borders depend on `count` and `grain` only, so a kernel whose
    /// chunks are independent gives the same bits on any number of threads.
    package func parallel(_ count: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void) {
        let chunkCount = (count + grain - 1) / max(1, grain)
        if chunkCount <= 1 || threadCount == 1 {
            for chunk in 0..<chunkCount { body(chunk * grain..<min(count, (chunk + 1) * grain)) }
            return
        }
        let next = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: min(threadCount, chunkCount)) { _ in
            while true {
                let chunk = next.wrappingAdd(1, ordering: .relaxed).oldValue
                if chunk >= chunkCount { return }
                body(chunk * grain..<min(count, (chunk + 1) * grain))
            }
        }
    }

    static func describe() -> DeviceDescription {
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
