import Foundation
import HearthCompute
import HearthKernels
import Support
import Testing

/// ONNX's operator vectors through every implementation that this machine has.
@Suite(.serialized, .enabled(if: TestPaths.operators != nil, "scripts/fetch-operators could not fetch ONNX's vectors"))
struct ConformanceTests {
    private static func run(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        switch c.operation {
        case "Attention": try ONNXAttention.run(c, device)
        case "Gemm": try ONNXProducts.gemm(c, device)
        case "MatMul": try ONNXProducts.matmul(c, device)
        case "RMSNormalization": try ONNXRows.rmsNorm(c, device)
        case "LayerNormalization": try ONNXRows.layerNorm(c, device)
        case "Softmax": try ONNXRows.softmax(c, device, isLog: false)
        case "LogSoftmax": try ONNXRows.softmax(c, device, isLog: true)
        case "SoftmaxCrossEntropyLoss": try ONNXRows.crossEntropy(c, device)
        case "RotaryEmbedding": try ONNXRows.rope(c, device)
        case "QuantizeLinear": try ONNXQuantise.run(c, device, isInverse: false)
        case "DequantizeLinear": try ONNXQuantise.run(c, device, isInverse: true)
        default: throw Excluded(reason: "no kernel for \(c.operation)")
        }
    }

    private func cases() throws -> [ONNXCase] {
        let folder = URL(filePath: try #require(TestPaths.operators))
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { $0 != "complete" }.map { try ONNXCase(folder: folder.appending(path: $0)) }
    }

    /// ONNX's own tolerance, 1e-3 of the value; its f16 vectors were computed in f16 throughout.
    private func matches(_ got: [Double], _ want: ONNXTensor) -> Bool {
        let absolute = want.element == .float16 ? 2e-3 : 1e-6
        return got.count == want.values.count
            && zip(got, want.values).allSatisfy { value, expected in
                abs(value - expected) <= 1e-3 * abs(expected) + absolute || value.isNaN && expected.isNaN
            }
    }

    @Test func everyImplementationPassesTheVectors() throws {
        let cases = try cases()
        #expect(cases.count >= 200)
        for implementation in Implementation.all {
            var passed = 0
            var excluded: [String: [String]] = [:]
            try implementation.with { device in
                for c in cases {
                    do {
                        for (index, values) in try Self.run(c, device) {
                            if index < c.outputs.count, let want = c.outputs[index] {
                                #expect(matches(values, want), "\(c.name) output \(index) on \(implementation)")
                            }
                        }
                        passed += 1
                    } catch let error as Excluded {
                        excluded[error.reason, default: []].append(c.name)
                    } catch let error as DeviceError where error.code == .invalid {
                        // A launcher refuses what its backend cannot do, and says so.
                        guard case .vulkan = implementation else { throw error }
                        excluded[error.description, default: []].append(c.name)
                    }
                }
            }
            print("conformance \(implementation): \(passed) of \(cases.count) cases run")
            for (reason, names) in excluded.sorted(by: { $0.key < $1.key }) {
                print("conformance   excluded \(names.count): \(reason): \(names.joined(separator: " "))")
            }
            #expect(passed >= 179)
        }
    }

    @Test func malformedVectorsAreErrors() {
        #expect(throws: Protobuf.Malformed.self) { try Protobuf.fields(of: Data([0x0a, 0x05, 1])) }
        #expect(throws: Protobuf.Malformed.self) { try Protobuf.fields(of: Data([0x0b])) }
        #expect(throws: Protobuf.Malformed.self) { try Protobuf.fields(of: Data(repeating: 0xff, count: 12)) }
    }
}
