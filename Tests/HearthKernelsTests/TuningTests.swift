import Foundation
import HearthCompute
import HearthKernels
import Support
import Testing

@Suite struct TuningTests {
    @Test(arguments: [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (512, 9), (513, 10)])
    func rowsFallIntoClassesOfPowersOfTwo(m: Int, log2: Int) {
        #expect(Tuning.rowsLog2(m) == log2)
    }

    @Test func theNearestMeasuredClassDecides() {
        let entries = [(1, "rows8"), (4, "rows16"), (9, "rows32")].map {
            Tuning.Entry(operation: "gemm_f32_f32_f32", rowsLog2: $0.0, variant: $0.1, seconds: [:], rejected: [:])
        }
        let tuning = Tuning(device: "d", driver: "v", entries: entries)
        #expect(tuning["gemm_f32_f32_f32", 2] == "rows8" && tuning["gemm_f32_f32_f32", 16] == "rows16")
        #expect(tuning["gemm_f32_f32_f32", 4096] == "rows32" && tuning["gemm_f32_q8_0_f32", 16] == nil)
    }

    /// Every shipped choice names a variant that each operation it covers has.
    @Test func shippedChoicesExist() {
        #expect(Tuning.shipped.map(\.match) == ["llvmpipe", "NVIDIA H", "AMD", "Intel"])
        for operation in ShaderCatalog.operations where operation.hasPrefix("gemm_f") || operation.hasPrefix("gemm_r") {
            if operation.hasPrefix("gemm_reduce") { continue }
            let known = ShaderCatalog.variants(of: operation).map(\.name)
            for shipped in Tuning.shipped {
                for m in [2, 64, 4096] {
                    guard let variant = shipped.variant(operation, m) else { continue }
                    // A device may lack matrix units, a matrix operation the other kinds.
                    let onlyMatrix = operation.hasPrefix("gemm_rounded") || operation.hasSuffix("summed_f16")
                    let isOther = onlyMatrix && !variant.hasPrefix("matrix")
                    #expect(known.contains(variant) || isOther, "\(shipped.match): \(operation) \(variant)")
                }
            }
        }
    }

    @Test(arguments: TestDevices.vulkan)
    func filesAreNamedByDeviceDriverAndShaders(selector: String) throws {
        let file = try #require(Tuning.file(for: try TestDevices.device(selector)))
        #expect(file.lastPathComponent.split(separator: "-").count == 4 && file.pathExtension == "json")
        #expect(Tuning.file(for: try Device.open(.cpu)) == nil)
    }
}
