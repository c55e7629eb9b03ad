import Foundation

extension SwiGLU {
    package static func reference(gate: [Float], up: [Float], activation: GEMM.Activation = .silu) -> [Double] {
        zip(gate, up).map { GEMM.reference(activation, Double($0)) * Double($1) }
    }
}
